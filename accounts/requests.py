"""A connection as Django's authentication wants it."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest


def django_request(scope: Mapping[str, Any]) -> HttpRequest:
    """Return a request from the client of an ASGI scope, HTTP or WebSocket, without its body.

    The server has put the client's own address into the scope where it believes a proxy.
    """
    request = HttpRequest()
    request.method = "POST"
    request.path = request.path_info = request.META["PATH_INFO"] = scope["path"]
    if client := scope.get("client"):
        request.META["REMOTE_ADDR"] = client[0]
    return request
