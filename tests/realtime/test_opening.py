"""How a connection begins: origins, subprotocols, initialisation."""

from collections.abc import Callable
from typing import Any

import pytest
from ariadne.asgi import GraphQL
from ariadne.exceptions import WebSocketConnectionError
from django.db import OperationalError
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

    @pytest.mark.parametrize(
        ("refusal", "payload", "reason"),
        [
            (
                WebSocketConnectionError({"code": 7, "message": "No"}),
                {"code": 7, "message": "No"},
                "No",
            ),
            (WebSocketConnectionError({"code": 7}), {"code": 7}, "Forbidden"),
            (
                GraphQLError("No", extensions={"code": "EXPIRED"}),
                {"message": "No", "extensions": {"code": "EXPIRED"}},
                "No",
            ),
            (GraphQLError("No"), {"message": "No"}, "No"),
        ],
    )
    async def test_legacy_client_gets_the_whole_refusal(
        self, refusal: Exception, payload: Any, reason: str, stranger: Stranger
    ) -> None:
        def refuse(websocket: Any, payload: Any) -> None:
            raise refusal

        assert await self.legacy_answer(stranger, refuse) == (
            {"type": "connection_error", "payload": payload},
            (4403, reason),
        )

    async def test_legacy_client_learns_that_on_connect_failed(self, stranger: Stranger) -> None:
        def broken(websocket: Any, payload: Any) -> None:
            raise KeyError("a secret")

        assert await self.legacy_answer(stranger, broken) == (
            {"type": "connection_error", "payload": {"message": "Internal server error"}},
            (4500, "Internal server error"),
        )

    async def test_client_may_come_back_when_the_database_was_away(
        self, stranger: Stranger, subprotocol: str
    ) -> None:
        def away(websocket: Any, payload: Any) -> None:
            raise OperationalError("server closed the connection unexpectedly")

        with pytest.raises(ConnectionClosedError, match="4013 Try again later"):
            await self.client(stranger, away, subprotocol=subprotocol).connect()

    @pytest.mark.parametrize("refuses", [False, True])
    async def test_payload_that_is_not_json_is_a_logged_fault(
        self, refuses: bool, stranger: Stranger, subprotocol: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        def on_connect(websocket: Any, payload: Any) -> Any:
            answer = {"message": "No", "welcome": {1, 2}}
            if refuses:
                raise WebSocketConnectionError(answer)
            return answer

        if refuses and subprotocol == "graphql-transport-ws":
            expected = "4403 No"  # which sends the reason alone
        else:
            expected = "4500 Internal server error"
        with pytest.raises(ConnectionClosedError, match=expected):
            await self.client(stranger, on_connect, subprotocol=subprotocol).connect()
        assert ("not JSON serializable" in caplog.text) == (expected != "4403 No")

    async def legacy_answer(self, stranger: Stranger, on_connect: Any) -> tuple[Any, Any]:
        """Return what a legacy client gets for its `connection_init`, and the close."""
        handler = WebSocketHandler(on_connect=on_connect)
        app = GraphQL(stranger.schema, websocket_handler=handler, error_formatter=report_error)
        async with Socket(app, subprotocols=["graphql-ws"]) as socket:
            await socket.send({"type": "connection_init"})
            return await socket.receive(), await socket.closed()


class TestPayload:
    """The payload of `connection_init` in the legacy dialect."""

    @pytest.mark.parametrize("payload", [None, {}, "", []])
    async def test_an_empty_one_is_let_in(self, payload: Any, stranger: Stranger) -> None:
        async with Socket(graphql_app(stranger.schema), subprotocols=["graphql-ws"]) as socket:
            await socket.send({"type": "connection_init", "payload": payload})
            assert await socket.receive() == {"type": "connection_ack"}

    @pytest.mark.parametrize("payload", ["token", ["token"], 0, 1, True, False])
    async def test_what_is_no_object_is_refused_at_once(
        self, payload: Any, stranger: Stranger
    ) -> None:
        reason = "Invalid connection_init message: payload must be an object or null"
        async with Socket(graphql_app(stranger.schema), subprotocols=["graphql-ws"]) as socket:
            await socket.send({"type": "connection_init", "payload": payload})
            assert await socket.receive() == {
                "type": "connection_error",
                "payload": {"message": reason},
            }
            assert await socket.closed() == (4400, reason)

    @pytest.mark.parametrize("payload", ["", [], "token"])
    async def test_the_newer_dialect_takes_objects_alone(
        self, payload: Any, stranger: Stranger
    ) -> None:
        reason = "Invalid connection_init message: payload must be an object or null"
        async with Socket(graphql_app(stranger.schema)) as socket:
            await socket.send({"type": "connection_init", "payload": payload})
            assert await socket.closed() == (4400, reason)
