"""A connection as Django's authentication wants it."""

from typing import Any

import pytest

from accounts.requests import django_request


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_address_is_that_of_the_connection(kind: str) -> None:
    scope = {"type": kind, "path": "/graphql/", "client": ("192.0.2.1", 5000)}
    assert django_request(scope).META["REMOTE_ADDR"] == "192.0.2.1"


@pytest.mark.parametrize("scope", [{"path": "/"}, {"path": "/", "client": None}])
def test_over_a_unix_socket_there_is_no_address(scope: dict[str, Any]) -> None:
    assert "REMOTE_ADDR" not in django_request(scope).META
