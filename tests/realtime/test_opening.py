"""How a connection begins: origins, subprotocols, initialisation."""

from collections.abc import Callable
from typing import Any

import pytest
from ariadne.asgi import GraphQL
from ariadne.exceptions import WebSocketConnectionError
from graphql import GraphQLError

from realtime.asgi import graphql_app
from realtime.errors import report_error
from realtime.testing import ConnectionClosedError, GraphQLClient, Socket
from realtime.transports.websocket import WebSocketHandler
from tests.realtime.stranger import Stranger

ALLOWED = "https://app.example.org"


class TestOrigins:
    @pytest.mark.parametrize("origin", ["http://testserver", ALLOWED])
    async def test_our_own_pages_and_allowed_ones_are_let_in(
        self, origin: str, stranger: Stranger
    ) -> None:
        app = graphql_app(stranger.schema, allowed_origins=[ALLOWED])
        async with GraphQLClient(app, headers={"origin": origin}) as client:
            assert await client.query("{ quick }") == {"quick": "done"}

    @pytest.mark.parametrize(
        "origin",
        ["null", "https://testserver", "http://testserver:81", "http://app.example.org", "http://testserver.evil.example"],
    )  # fmt: skip
    async def test_scheme_host_and_port_count(self, origin: str, stranger: Stranger) -> None:
        app = graphql_app(stranger.schema, allowed_origins=[ALLOWED])
        assert await self.refusal(app, origin) == 4403

    async def test_a_foreign_page_is_refused_before_the_handshake_completes(
        self, stranger: Stranger
    ) -> None:
        assert await self.refusal(graphql_app(stranger.schema), "https://evil.example") == 4403

    @staticmethod
    async def refusal(app: Any, origin: str) -> int:
        """Return the code with which the handshake is refused."""
        with pytest.raises(ConnectionClosedError) as caught:
            await Socket(app, headers={"origin": origin}).connect()
        return caught.value.code


@pytest.mark.parametrize("offered", [[], ["graphql-sse"]])
async def test_an_unknown_subprotocol_is_refused(offered: list[str], stranger: Stranger) -> None:
    socket = Socket(graphql_app(stranger.schema), subprotocols=offered)
    assert await socket.connect() is None
    assert await socket.closed() == (4406, "Subprotocol not acceptable")


async def test_silence_is_ended(
    stranger: Stranger, subprotocol: str, realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(CONNECTION_INIT_TIMEOUT=0.01)
    async with Socket(graphql_app(stranger.schema), subprotocols=[subprotocol]) as socket:
        assert await socket.closed() == (4408, "Connection initialisation timeout")


class TestOnConnect:
    @staticmethod
    def client(stranger: Stranger, on_connect: Any, **options: Any) -> GraphQLClient:
        handler = WebSocketHandler(on_connect=on_connect)
        app = GraphQL(stranger.schema, websocket_handler=handler, error_formatter=report_error)
        return GraphQLClient(app, **options)

    async def test_it_may_answer(self, stranger: Stranger, subprotocol: str) -> None:
        async def welcome(websocket: Any, payload: Any) -> Any:
            return {"hello": payload["name"]}

        payload = {"name": "Ariadne"}
        client = self.client(stranger, welcome, payload=payload, subprotocol=subprotocol)
        async with client:
            assert client.acknowledgement == {"hello": "Ariadne"}

    @pytest.mark.parametrize("kind", [GraphQLError, WebSocketConnectionError])
    async def test_it_may_refuse(self, kind: Any, stranger: Stranger, subprotocol: str) -> None:
        def refuse(websocket: Any, payload: Any) -> None:
            raise kind("Token expired")

        with pytest.raises(ConnectionClosedError, match="4403 Token expired"):
            await self.client(stranger, refuse, subprotocol=subprotocol).connect()

    async def test_a_fault_of_it_is_masked_and_logged(
        self, stranger: Stranger, subprotocol: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(websocket: Any, payload: Any) -> None:
            raise KeyError("a secret")

        with pytest.raises(ConnectionClosedError, match="4500 Internal server error"):
            await self.client(stranger, broken, subprotocol=subprotocol).connect()
        assert "a secret" in caplog.text
