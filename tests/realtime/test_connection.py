"""A connection: a stranger's schema, plain sources, no database."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest
from ariadne import QueryType, SubscriptionType, make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.exceptions import WebSocketConnectionError
from graphql import GraphQLError

from realtime.asgi import graphql_app
from realtime.errors import report_error
from realtime.transports.websocket import WebSocketHandler
from tests.in_process import Socket


class Stranger:
    """A schema whose fields tell the tests what happens to them."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.started = asyncio.Event()
        self.release = asyncio.Event()
        query, subscription = QueryType(), SubscriptionType()

        @query.field("slow")
        async def slow(*_: Any) -> str:
            self.started.set()
            try:
                await self.release.wait()
            finally:
                self.ended.append("slow")
            return "done"

        @query.field("quick")
        def quick(*_: Any) -> str:
            return "done"

        @query.field("broken")
        def broken(*_: Any) -> str:
            raise KeyError("a secret")

        @subscription.source("endless")
        async def endless(*_: Any) -> AsyncGenerator[int, None]:
            self.started.set()
            try:
                yield 1
                await asyncio.Event().wait()
            finally:
                self.ended.append("endless")

        @subscription.source("breaking")
        async def breaking(*_: Any) -> AsyncGenerator[int, None]:
            yield 1
            raise KeyError("a secret")

        @subscription.source("forbidden")
        async def forbidden(*_: Any) -> AsyncGenerator[int, None]:
            raise GraphQLError("Not for you", extensions={"code": "FORBIDDEN"})
            yield 1

        for name in ("endless", "breaking", "forbidden"):
            subscription.set_field(name, lambda value, *_: value)
        self.schema = make_executable_schema(
            """
            type Query { slow: String  quick: String  broken: String }
            type Subscription { endless: Int!  breaking: Int!  forbidden: Int! }
            """,
            query,
            subscription,
        )


@pytest.fixture
async def stranger() -> Stranger:
    return Stranger()


@pytest.fixture
async def socket(stranger: Stranger) -> AsyncIterator[Socket]:
    socket = Socket(graphql_app(stranger.schema))
    await socket.open()
    yield socket
    await socket.disconnect()


def next_(data: dict[str, Any], *, id: str = "1") -> dict[str, Any]:
    return {"id": id, "type": "next", "payload": {"data": data}}


class TestOperations:
    async def test_a_query_has_one_result(self, socket: Socket) -> None:
        await socket.subscribe("{ quick }")
        assert await socket.receive() == next_({"quick": "done"})
        assert await socket.receive() == {"id": "1", "type": "complete"}

    async def test_an_id_can_be_used_again(self, socket: Socket) -> None:
        for _ in range(2):
            await socket.subscribe("{ quick }")
            await socket.receive()
            await socket.receive()

    async def test_a_slow_query_delays_nobody(self, socket: Socket, stranger: Stranger) -> None:
        await socket.subscribe("{ slow }", id="slow")
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}
        await socket.subscribe("{ quick }", id="quick")
        assert await socket.receive() == next_({"quick": "done"}, id="quick")
        await socket.receive()
        stranger.release.set()
        assert await socket.receive() == next_({"slow": "done"}, id="slow")

    @pytest.mark.parametrize("query", ["{ slow }", "subscription { endless }"])
    async def test_completing_cancels(self, query: str, socket: Socket, stranger: Stranger) -> None:
        await socket.subscribe(query)
        await stranger.started.wait()
        await socket.send({"type": "complete", "id": "1"})
        await socket.subscribe("{ quick }", id="2")
        while (await socket.receive())["id"] == "1":
            pass  # on its way before
        assert len(stranger.ended) == 1

    async def test_a_confirmation_comes_before_the_first_result(self, socket: Socket) -> None:
        await socket.subscribe("subscription { endless }", confirm=True)
        assert await socket.receive() == next_({"endless": 1})


class TestTheLegacyDialect:
    @pytest.fixture
    async def legacy(self, stranger: Stranger) -> AsyncIterator[Socket]:
        socket = Socket(graphql_app(stranger.schema), subprotocols=["graphql-ws"])
        assert await socket.connect() == (True, "graphql-ws")
        await socket.send({"type": "connection_init"})
        assert [(await socket.receive())["type"] for _ in range(2)] == ["connection_ack", "ka"]
        yield socket
        await socket.disconnect()

    @staticmethod
    def start(query: str, id: str = "1") -> dict[str, Any]:
        return {"id": id, "type": "start", "payload": {"query": query}}

    async def test_a_query_has_one_result(self, legacy: Socket) -> None:
        await legacy.send(self.start("{ quick }"))
        assert await legacy.receive() == {
            "id": "1",
            "type": "data",
            "payload": {"data": {"quick": "done"}},
        }
        assert await legacy.receive() == {"id": "1", "type": "complete"}

    async def test_stopping_ends_the_stream(self, legacy: Socket, stranger: Stranger) -> None:
        await legacy.send(self.start("subscription { endless }"))
        assert (await legacy.receive())["payload"] == {"data": {"endless": 1}}
        await legacy.send({"id": "1", "type": "stop"})
        assert await legacy.receive() == {"id": "1", "type": "complete"}
        assert stranger.ended == ["endless"]

    async def test_an_id_in_use_begins_anew(self, legacy: Socket, stranger: Stranger) -> None:
        await legacy.send(self.start("subscription { endless }"))
        await legacy.receive()
        await legacy.send(self.start("{ quick }"))
        assert (await legacy.receive())["payload"] == {"data": {"quick": "done"}}
        assert stranger.ended == ["endless"]

    async def test_what_cannot_run_gets_its_errors(self, legacy: Socket) -> None:
        await legacy.send(self.start("{ unknown }"))
        answer = await legacy.receive()
        assert "unknown" in answer["payload"]["errors"][0]["message"]
        assert await legacy.receive() == {"id": "1", "type": "complete"}

    async def test_it_is_kept_alive(
        self, stranger: Stranger, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(KEEP_ALIVE_INTERVAL=0.01)
        socket = Socket(graphql_app(stranger.schema), subprotocols=["graphql-ws"])
        await socket.connect()
        await socket.send({"type": "connection_init"})
        assert (await socket.receive())["type"] == "connection_ack"
        for _ in range(3):
            assert await socket.receive() == {"type": "ka"}
        await socket.disconnect()

    async def test_terminating_closes(self, legacy: Socket) -> None:
        await legacy.send({"type": "connection_terminate"})
        assert await legacy.closed() == (1000, "")


class TestErrors:
    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("{", "Syntax Error: Expected Name, found <EOF>."),
            ("", "The query must be a string."),
            ("{ unknown }", "Cannot query field 'unknown' on type 'Query'."),
            ("subscription { unknown }", "Cannot query field 'unknown' on type 'Subscription'."),
            ("subscription { forbidden }", "Not for you"),
        ],
    )
    async def test_what_cannot_run_gets_an_error_and_the_socket_stays(
        self, query: str, message: str, socket: Socket
    ) -> None:
        await socket.subscribe(query)
        answer = await socket.receive()
        assert (answer["type"], answer["id"]) == ("error", "1")
        assert answer["payload"][0]["message"] == message
        await socket.subscribe("{ quick }")
        assert (await socket.receive())["type"] == "next"

    async def test_a_fault_is_masked_and_logged_once_under_the_id_that_the_client_gets(
        self, socket: Socket, caplog: pytest.LogCaptureFixture
    ) -> None:
        await socket.subscribe("{ broken }")
        [error] = (await socket.receive())["payload"]["errors"]
        assert error["message"] == "Internal server error"
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert "secret" not in str(error)
        [record] = caplog.records
        assert error["extensions"]["id"] in record.getMessage()
        assert record.exc_info is not None
        assert isinstance(record.exc_info[1], KeyError)

    async def test_a_stream_that_breaks_ends_with_an_error(self, socket: Socket) -> None:
        await socket.subscribe("subscription { breaking }")
        assert await socket.receive() == next_({"breaking": 1})
        answer = await socket.receive()
        assert answer["type"] == "error"
        assert answer["payload"][0]["message"] == "Internal server error"

    async def test_in_debug_the_client_sees_the_fault(self, stranger: Stranger) -> None:
        socket = Socket(graphql_app(stranger.schema, debug=True))
        await socket.open()
        await socket.subscribe("{ broken }")
        [error] = (await socket.receive())["payload"]["errors"]
        assert error["message"] == "'a secret'"
        assert error["extensions"]["exception"]["stacktrace"]
        await socket.disconnect()


class TestOpening:
    async def test_a_foreign_page_is_refused_before_the_handshake_completes(
        self, stranger: Stranger
    ) -> None:
        socket = Socket(graphql_app(stranger.schema), headers={"origin": "https://evil.example"})
        assert await socket.connect() == (False, 4403)

    @pytest.mark.parametrize("origin", ["http://127.0.0.1", "https://app.example.org"])
    async def test_our_own_pages_and_allowed_ones_are_let_in(
        self, origin: str, stranger: Stranger
    ) -> None:
        app = graphql_app(stranger.schema, allowed_origins=["https://app.example.org"])
        socket = Socket(app, headers={"origin": origin})
        await socket.open()
        await socket.disconnect()

    @pytest.mark.parametrize(
        "origin",
        ["null", "https://127.0.0.1", "http://127.0.0.1:81", "http://app.example.org", "http://127.0.0.1.evil.example"],
    )  # fmt: skip
    async def test_scheme_host_and_port_count(self, origin: str, stranger: Stranger) -> None:
        app = graphql_app(stranger.schema, allowed_origins=["https://app.example.org"])
        assert (await Socket(app, headers={"origin": origin}).connect())[0] is False

    @pytest.mark.parametrize("offered", [[], ["graphql-sse"]])
    async def test_an_unknown_subprotocol_is_refused(
        self, offered: list[str], stranger: Stranger
    ) -> None:
        socket = Socket(graphql_app(stranger.schema), subprotocols=offered)
        assert await socket.connect() == (True, None)
        assert await socket.closed() == (4406, "Subprotocol not acceptable")

    async def test_silence_is_ended(
        self, stranger: Stranger, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(CONNECTION_INIT_TIMEOUT=0.01)
        socket = Socket(graphql_app(stranger.schema))
        await socket.connect()
        assert await socket.closed() == (4408, "Connection initialisation timeout")
        await socket.disconnect()

    async def test_on_connect_may_answer(self, stranger: Stranger) -> None:
        async def welcome(websocket: Any, payload: Any) -> Any:
            return {"hello": payload["name"]}

        handler = WebSocketHandler(on_connect=welcome)
        socket = Socket(GraphQL(stranger.schema, websocket_handler=handler))
        await socket.connect()
        await socket.send({"type": "connection_init", "payload": {"name": "Ariadne"}})
        assert await socket.receive() == {
            "type": "connection_ack",
            "payload": {"hello": "Ariadne"},
        }
        await socket.disconnect()

    @pytest.mark.parametrize(
        "refusal", [GraphQLError("Token expired"), WebSocketConnectionError("Token expired")]
    )
    async def test_on_connect_may_refuse(self, refusal: Exception, stranger: Stranger) -> None:
        def refuse(websocket: Any, payload: Any) -> None:
            raise refusal

        handler = WebSocketHandler(on_connect=refuse)
        socket = Socket(GraphQL(stranger.schema, websocket_handler=handler))
        await socket.connect()
        await socket.send({"type": "connection_init"})
        assert await socket.closed() == (4403, "Token expired")
        await socket.disconnect()

    async def test_a_fault_of_on_connect_is_masked_and_logged(
        self, stranger: Stranger, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(websocket: Any, payload: Any) -> None:
            raise KeyError("a secret")

        handler = WebSocketHandler(on_connect=broken)
        app = GraphQL(stranger.schema, websocket_handler=handler, error_formatter=report_error)
        socket = Socket(app)
        await socket.connect()
        await socket.send({"type": "connection_init"})
        assert await socket.closed() == (4500, "Internal server error")
        assert "a secret" in caplog.text
        await socket.disconnect()


class TestEnding:
    async def test_going_away_ends_all_that_was_started(self, stranger: Stranger) -> None:
        before = asyncio.all_tasks()
        gone: list[Any] = []
        handler = WebSocketHandler(on_disconnect=gone.append)
        socket = Socket(GraphQL(stranger.schema, websocket_handler=handler))
        await socket.open()
        await socket.subscribe("subscription { endless }", id="a")
        await socket.receive()
        stranger.started.clear()
        await socket.subscribe("{ slow }", id="b")
        await stranger.started.wait()
        await socket.disconnect()
        assert sorted(stranger.ended) == ["endless", "slow"]
        assert asyncio.all_tasks() == before
        assert len(gone) == 1

    async def test_a_bad_message_ends_operations_at_once(
        self, socket: Socket, stranger: Stranger
    ) -> None:
        await socket.subscribe("subscription { endless }")
        await socket.receive()
        await socket.send([])
        assert await socket.closed() == (4400, "Message is not a JSON object")
        assert stranger.ended == ["endless"]
