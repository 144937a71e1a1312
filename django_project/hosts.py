"""ALLOWED_HOSTS for what Django does not serve itself."""

from typing import Any

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

REFUSAL = PlainTextResponse("This host is not in ALLOWED_HOSTS.", status_code=400)


class AllowedHosts:
    """Refuses requests under other host names, which only a rebound DNS name would send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        domain, _ = split_domain_port(Headers(scope=scope).get("host", ""))
        app: Any = self._app
        if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
            app = WebsocketDenier.as_asgi() if scope["type"] == "websocket" else REFUSAL
        await app(scope, receive, send)
