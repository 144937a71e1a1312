"""Fixtures of the tests of accounts: callers over HTTP and over both dialects of WebSocket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from http.cookies import SimpleCookie
from typing import Any

import pytest

from realtime.testing import GraphQLClient, OperationError
from tests.addresses import from_address
from tests.django_project.conftest import application, execute, post, users

__all__ = ["application", "execute", "users"]

Ask = Callable[..., Awaitable[dict[str, Any]]]
"""Runs an operation, with its variables, and returns its data. Raises OperationError."""

Connect = Callable[..., Awaitable[Ask]]
"""Takes the token of a session, or none, and an address."""

ADDRESS = "192.0.2.1"


@pytest.fixture(autouse=True)
def _no_demo(settings: Any) -> None:
    settings.CLEW_DEMO = False


@pytest.fixture(params=["http", "graphql-transport-ws", "graphql-ws"])
async def connect(request: pytest.FixtureRequest, application: Any) -> AsyncIterator[Connect]:
    """Let callers in who keep what a login gave them, as a browser does."""
    async with AsyncExitStack() as stack:

        async def over_http(token: str | None = None, address: str | None = ADDRESS) -> Ask:
            return caller_over_http(from_address(application, address), token)

        async def over_websocket(token: str | None = None, address: str | None = ADDRESS) -> Ask:
            client = GraphQLClient(
                from_address(application, address),
                headers={"cookie": f"sessionid={token}", "origin": "http://testserver"},
                subprotocol=request.param,
            )
            await stack.enter_async_context(client)

            async def ask(query: str, **variables: Any) -> dict[str, Any]:
                return await client.query(query, variables)

            return ask

        yield over_http if request.param == "http" else over_websocket


@pytest.fixture
def ask(application: Any) -> Ask:
    """Run the operations of one caller over HTTP, where the transport does not matter."""
    return caller_over_http(from_address(application, ADDRESS))


def caller_over_http(application: Any, token: str | None = None) -> Ask:
    cookies = SimpleCookie({"sessionid": token} if token else None)

    async def ask(query: str, **variables: Any) -> dict[str, Any]:
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
        result, headers = await post(application, query, headers={"cookie": cookie}, **variables)
        cookies.load(headers.get("set-cookie", ""))
        if "errors" in result:
            raise OperationError(result["errors"])
        data: dict[str, Any] = result["data"]
        return data

    return ask
