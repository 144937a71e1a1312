"""A connection: a stranger's schema, plain sources, no database."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from realtime.asgi import graphql_app
from realtime.testing import CompletedError, GraphQLClient, OperationError, Socket
from tests.realtime.conftest import acknowledged
from tests.realtime.stranger import Stranger


class TestOperations:
    async def test_a_query_has_one_result(self, client: GraphQLClient) -> None:
        assert await client.query("{ quick }") == {"quick": "done"}

    async def test_a_slow_query_delays_nobody(
        self, client: GraphQLClient, stranger: Stranger
    ) -> None:
        slow = asyncio.create_task(client.query("{ slow }"))
        await stranger.has("slow started")
        assert await client.query("{ quick }") == {"quick": "done"}
        stranger.release.set()
        assert await slow == {"slow": "done"}

    @pytest.mark.parametrize("name", ["slow", "endless"])
    async def test_stopping_cancels(
        self, name: str, client: GraphQLClient, stranger: Stranger
    ) -> None:
        kind = "query" if name == "slow" else "subscription"
        operation = await client.subscribe(f"{kind} {{ {name} }}", confirm=False)
        await stranger.has(f"{name} started")
        await operation.stop()
        await stranger.has(f"{name} ended")

    async def test_a_confirmation_comes_before_the_first_result(
        self, client: GraphQLClient
    ) -> None:
        subscription = await client.subscribe("subscription { endless }")
        assert await subscription.receive() == {"endless": 1}
        assert subscription.cursor is None


class TestErrors:
    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("{", "Syntax Error: Expected Name, found <EOF>."),
            ("", "The query must be a string."),
            ("{ unknown }", "Cannot query field 'unknown' on type 'Query'."),
            ("subscription { unknown }", "Cannot query field 'unknown' on type 'Subscription'."),
            ("subscription { forbidden }", "Not for you"),
            ("query A { quick } query B { quick }", "Must provide operation name if"),
            ("query ($x: Boolean!) { quick @skip(if: $x) }", "Variable '$x' has invalid value"),
        ],
    )
    async def test_what_cannot_run_gets_an_error_and_the_connection_stays(
        self, query: str, message: str, client: GraphQLClient
    ) -> None:
        with pytest.raises(OperationError) as caught:
            await client.query(query)
        [error] = caught.value.errors
        assert error["message"].startswith(message)
        assert caught.value.data is None
        assert await client.query("{ quick }") == {"quick": "done"}

    async def test_a_fault_is_masked_and_logged_once_under_the_id_that_the_client_gets(
        self, client: GraphQLClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(OperationError) as caught:
            await client.query("{ broken }")
        [error] = caught.value.errors
        assert error["message"] == "Internal server error"
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert "secret" not in str(error)
        [record] = caplog.records
        assert error["extensions"]["id"] in record.getMessage()
        assert record.exc_info is not None
        assert isinstance(record.exc_info[1], KeyError)

    async def test_a_stream_that_breaks_ends_with_an_error(self, client: GraphQLClient) -> None:
        subscription = await client.subscribe("subscription { breaking }")
        assert await subscription.receive() == {"breaking": 1}
        with pytest.raises(OperationError, match="Internal server error"):
            await subscription.receive()
        with pytest.raises((OperationError, CompletedError)):
            await subscription.receive()

    async def test_in_debug_the_client_sees_the_fault(self, stranger: Stranger) -> None:
        async with GraphQLClient(graphql_app(stranger.schema, debug=True)) as client:
            with pytest.raises(OperationError) as caught:
                await client.query("{ broken }")
        [error] = caught.value.errors
        assert error["message"] == "'a secret'"
        assert error["extensions"]["exception"]["stacktrace"]


class TestEnding:
    async def test_going_away_ends_all_that_was_started(
        self, stranger: Stranger, subprotocol: str
    ) -> None:
        before = asyncio.all_tasks()
        client = GraphQLClient(graphql_app(stranger.schema), subprotocol=subprotocol)
        await client.connect()
        subscription = await client.subscribe("subscription { endless }")
        await subscription.receive()
        await client.subscribe("{ slow }", confirm=False)
        await stranger.has("slow started")
        await client.leave()
        await stranger.has("endless ended")
        await stranger.has("slow ended")
        assert asyncio.all_tasks() == before

    async def test_a_close_of_the_server_s_ends_operations_at_once(
        self, client: GraphQLClient, stranger: Stranger
    ) -> None:
        subscription = await client.subscribe("subscription { endless }")
        await subscription.receive()
        await client.send(b"binary")
        assert await client.closed() == (4400, "Messages are text, not binary")
        await stranger.has("endless ended")


class TestMessages:
    """What goes over the wire, in the current dialect."""

    @pytest.fixture
    async def socket(self, stranger: Stranger) -> AsyncIterator[Socket]:
        async with acknowledged(stranger, "graphql-transport-ws") as socket:
            yield socket

    @staticmethod
    def subscribe(query: str) -> dict[str, Any]:
        return {"id": "1", "type": "subscribe", "payload": {"query": query}}

    async def test_an_id_can_be_used_again(self, socket: Socket) -> None:
        for _ in range(2):
            await socket.send(self.subscribe("{ quick }"))
            payload = {"data": {"quick": "done"}}
            assert await socket.receive() == {"id": "1", "type": "next", "payload": payload}
            assert await socket.receive() == {"id": "1", "type": "complete"}

    @pytest.mark.parametrize(
        "query", ["{ unknown }", "query ($x: Boolean!) { quick @skip(if: $x) }"]
    )
    async def test_what_cannot_run_ends_with_an_error(self, query: str, socket: Socket) -> None:
        await socket.send(self.subscribe(query))
        answer = await socket.receive()
        assert (answer["id"], answer["type"]) == ("1", "error")
        assert len(answer["payload"]) == 1
        await socket.send(self.subscribe("{ quick }"))
        assert (await socket.receive())["type"] == "next"

    async def test_a_confirmation_has_no_data(self, socket: Socket) -> None:
        message = self.subscribe("subscription { endless }")
        message["payload"]["extensions"] = {"confirm": True}
        await socket.send(message)
        payload = {"data": None, "extensions": {"subscribed": True}}
        assert await socket.receive() == {"id": "1", "type": "next", "payload": payload}


class TestTheLegacyDialect:
    @pytest.fixture
    async def legacy(self, stranger: Stranger) -> AsyncIterator[Socket]:
        async with acknowledged(stranger, "graphql-ws") as socket:
            yield socket

    @staticmethod
    def start(query: str) -> dict[str, Any]:
        return {"id": "1", "type": "start", "payload": {"query": query}}

    async def test_a_query_has_one_result(self, legacy: Socket) -> None:
        await legacy.send(self.start("{ quick }"))
        payload = {"data": {"quick": "done"}}
        assert await legacy.receive() == {"id": "1", "type": "data", "payload": payload}
        assert await legacy.receive() == {"id": "1", "type": "complete"}

    async def test_stopping_ends_the_stream(self, legacy: Socket, stranger: Stranger) -> None:
        await legacy.send(self.start("subscription { endless }"))
        assert (await legacy.receive())["payload"] == {"data": {"endless": 1}}
        await legacy.send({"id": "1", "type": "stop"})
        assert await legacy.receive() == {"id": "1", "type": "complete"}
        await stranger.has("endless ended")

    async def test_an_id_in_use_begins_anew(self, legacy: Socket, stranger: Stranger) -> None:
        await legacy.send(self.start("subscription { endless }"))
        await legacy.receive()
        await legacy.send(self.start("{ quick }"))
        assert (await legacy.receive())["payload"] == {"data": {"quick": "done"}}
        await stranger.has("endless ended")

    async def test_what_cannot_run_gets_its_errors(self, legacy: Socket) -> None:
        await legacy.send(self.start("{ unknown }"))
        answer = await legacy.receive()
        assert "unknown" in answer["payload"]["errors"][0]["message"]
        assert await legacy.receive() == {"id": "1", "type": "complete"}

    async def test_terminating_closes(self, legacy: Socket) -> None:
        await legacy.send({"type": "connection_terminate"})
        assert await legacy.closed() == (1000, "")

    async def test_an_operation_can_be_stopped_while_the_acknowledgement_is_sent(
        self, stranger: Stranger
    ) -> None:
        app = graphql_app(stranger.schema)
        release = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            async def send_slowly(message: Any) -> None:
                await send(message)
                if "connection_ack" in message.get("text", ""):
                    await release.wait()

            await app(scope, receive, send_slowly)

        async with Socket(slow, subprotocols=["graphql-ws"]) as socket:
            await socket.send({"type": "connection_init"})
            await socket.send(self.start("subscription { endless }"))
            assert await socket.receive() == {"type": "connection_ack"}
            assert (await socket.receive())["payload"] == {"data": {"endless": 1}}
            await socket.send({"id": "1", "type": "stop"})
            assert await socket.receive() == {"id": "1", "type": "complete"}
            await stranger.has("endless ended")
            release.set()
            assert await socket.receive() == {"type": "ka"}
            await socket.send(self.start("{ quick }"))
            assert (await socket.receive())["payload"] == {"data": {"quick": "done"}}
