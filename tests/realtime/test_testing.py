"""The test client: what it says when something else comes than the test has asked for."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from ariadne import QueryType, make_executable_schema
from django.utils.translation import gettext_lazy

from realtime.asgi import graphql_app
from realtime.testing import (
    CompletedError,
    ConnectionClosedError,
    GraphQLClient,
    OperationError,
    Socket,
)
from tests.realtime.stranger import Stranger

Script = list[dict[str, Any]]


def server(*frames: dict[str, Any], subprotocol: str = "graphql-transport-ws") -> Any:
    """Return an application that lets clients in and answers the first operation with these."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        async def say(message: dict[str, Any]) -> None:
            await send({"type": "websocket.send", "text": json.dumps(message)})

        await receive()
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        await receive()
        await say({"type": "connection_ack"})
        if (await receive())["type"] == "websocket.receive":
            for frame in frames:
                await (send if frame["type"].startswith("websocket.") else say)(frame)
        while (await receive())["type"] != "websocket.disconnect":
            pass

    return application


NEXT = {"id": "1", "type": "next", "payload": {"data": {"n": 1}}}
COMPLETE = {"id": "1", "type": "complete"}


async def test_operations_run_at_once(client: GraphQLClient, stranger: Stranger) -> None:
    subscription = await client.subscribe("subscription { endless }")
    slow = asyncio.create_task(client.query("{ slow }"))
    assert await client.query("{ quick }") == {"quick": "done"}
    stranger.release.set()
    assert await slow == {"slow": "done"}
    assert await subscription.receive() == {"endless": 1}


async def test_variables_and_the_name_of_the_operation(client: GraphQLClient) -> None:
    query = "query A($no: Boolean!) { quick @skip(if: $no) } query B { broken }"
    assert await client.query(query, {"no": False}, operation_name="A") == {"quick": "done"}


class Echo:
    """A schema whose field returns its argument, and the client of it."""

    def __init__(self) -> None:
        query = QueryType()
        query.set_field("echo", lambda _, info, value: value)
        self.client = GraphQLClient(
            graphql_app(make_executable_schema("type Query { echo(value: String): String }", query))
        )

    async def __call__(self, value: Any) -> Any:
        async with self.client as client:
            data = await client.query("query ($v: String) { echo(value: $v) }", {"v": value})
        return data["echo"]


class TestVariables:
    MOMENT = datetime(2026, 1, 31, 10, 30, 0, 123456, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (MOMENT, "2026-01-31T10:30:00.123456+00:00"),
            (MOMENT.replace(tzinfo=None), "2026-01-31T10:30:00.123456"),
            (MOMENT.date(), "2026-01-31"),
            (MOMENT.time(), "10:30:00.123456"),
            (timedelta(days=1, seconds=2, microseconds=3), "P1DT00H00M02.000003S"),
            (Decimal("1.50"), "1.50"),
            (gettext_lazy("Yes"), "Yes"),
        ],
        ids=lambda value: type(value).__name__,
    )
    async def test_a_value_that_json_has_not_goes_as_text(self, value: Any, text: str) -> None:
        assert await Echo()(value) == text

    async def test_another_object_is_refused_with_its_type(self) -> None:
        with pytest.raises(TypeError, match="Object of type set is not JSON serializable"):
            await Echo()({1})


async def test_iterating_ends_with_the_completion(client: GraphQLClient) -> None:
    subscription = await client.subscribe("subscription { three }")
    assert [result["three"] async for result in subscription] == [1, 2, 3]
    with pytest.raises(CompletedError):
        await subscription.receive()


async def test_what_is_stopped_has_ended(client: GraphQLClient, stranger: Stranger) -> None:
    subscription = await client.subscribe("subscription { endless }")
    await subscription.stop()
    await subscription.stop()
    with pytest.raises(CompletedError):
        await subscription.receive()
    await client.query("{ quick }")
    await stranger.has("endless ended")


class TestErrors:
    async def test_an_operation_that_cannot_begin(self, client: GraphQLClient) -> None:
        with pytest.raises(OperationError, match="Cannot query field 'unknown'") as caught:
            await client.subscribe("subscription { unknown }")
        assert (caught.value.codes, caught.value.data) == (["GRAPHQL_VALIDATION_FAILED"], None)

    async def test_a_stream_that_breaks(self, client: GraphQLClient) -> None:
        subscription = await client.subscribe("subscription { forbidden }")
        with pytest.raises(OperationError, match="Not for you") as caught:
            await subscription.receive()
        assert caught.value.codes == ["FORBIDDEN"]

    async def test_a_result_with_errors(self, client: GraphQLClient) -> None:
        with pytest.raises(OperationError, match="Internal server error") as caught:
            await client.query("{ quick broken }")
        assert caught.value.data == {"quick": "done", "broken": None}
        assert caught.value.errors[0]["path"] == ["broken"]

    async def test_another_end_than_the_one_awaited(self) -> None:
        async with GraphQLClient(server(NEXT, NEXT)) as client:
            with pytest.raises(AssertionError, match="Expected the completion of operation 1"):
                await client.query("{ n }")

    async def test_no_confirmation(self) -> None:
        async with GraphQLClient(server(NEXT)) as client:
            with pytest.raises(AssertionError, match="Expected the confirmation"):
                await client.subscribe("subscription { n }")

    async def test_nothing_was_expected(self) -> None:
        async with GraphQLClient(server(NEXT)) as client:
            subscription = await client.subscribe("subscription { n }", confirm=False)
            with pytest.raises(AssertionError, match="Expected nothing of operation 1"):
                await subscription.expect_nothing()
            await subscription.expect_nothing(0.01)

    @pytest.mark.parametrize(
        "frames",
        [
            [NEXT, COMPLETE, NEXT],
            [COMPLETE, COMPLETE],
            [{"id": "7", "type": "next", "payload": {}}],
            [{"id": "1", "type": "data", "payload": {"data": {}}}],
            [{"id": "1", "type": "next", "payload": []}],
            [{"type": "unknown"}],
        ],
    )
    async def test_what_the_protocol_does_not_allow(self, frames: Script) -> None:
        with pytest.raises(AssertionError, match=r"After its end|what the protocol has not"):
            async with GraphQLClient(server(*frames)) as client:
                await client.subscribe("subscription { n }", confirm=False)


class TestTime:
    async def test_a_result_that_does_not_come(self) -> None:
        async with GraphQLClient(server(), timeout=0.01) as client:
            with pytest.raises(TimeoutError, match=r"operation 1, { n } did not come within 0.01"):
                await client.query("{ n }")

    async def test_an_acknowledgement_that_does_not_come(self) -> None:
        async def mute(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
            while (await receive())["type"] != "websocket.disconnect":
                pass

        with pytest.raises(TimeoutError, match="connection_ack did not come within"):
            await GraphQLClient(mute, timeout=0.01).connect()

    async def test_an_application_that_does_not_end(self) -> None:
        async def deaf(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.accept"})
            await asyncio.Event().wait()

        socket = Socket(deaf, timeout=0.01)
        await socket.connect()
        with pytest.raises(TimeoutError, match="The application's end did not come within"):
            await socket.leave()


class TestEnds:
    CLOSE = {"type": "websocket.close", "code": 4500, "reason": "Internal server error"}

    async def test_a_close_comes_after_the_results(self) -> None:
        async with GraphQLClient(server(NEXT, self.CLOSE)) as client:
            subscription = await client.subscribe("subscription { n }", confirm=False)
            assert await client.closed() == (4500, "Internal server error")
            assert await subscription.receive() == {"n": 1}
            for _ in range(2):
                with pytest.raises(ConnectionClosedError, match="4500 Internal server error"):
                    await subscription.receive()
            with pytest.raises(ConnectionClosedError):
                await client.query("{ n }")

    async def test_being_cut_off_loses_what_was_not_received(self, client: GraphQLClient) -> None:
        subscription = await client.subscribe("subscription { endless }")
        await client.cut_off()
        with pytest.raises(ConnectionClosedError) as caught:
            await subscription.receive()
        assert caught.value.code == 1006
        with pytest.raises(RuntimeError, match="not connected"):
            await client.query("{ quick }")
        await client.connect()
        assert await client.query("{ quick }") == {"quick": "done"}

    async def test_a_fault_of_the_application_reaches_the_test(self) -> None:
        async def broken(scope: Any, receive: Any, send: Any) -> None:
            raise KeyError("a fault")

        with pytest.raises(KeyError, match="a fault"):
            await GraphQLClient(broken).connect()

    async def test_what_is_not_live_cannot_be_resumed(self, client: GraphQLClient) -> None:
        subscription = await client.subscribe("subscription { endless }")
        with pytest.raises(RuntimeError, match="has not ended"):
            await subscription.resume()
        await subscription.stop()
        with pytest.raises(RuntimeError, match="has no cursor"):
            await subscription.resume()

    async def test_nothing_is_left(self, stranger: Stranger) -> None:
        before = asyncio.all_tasks()
        async with GraphQLClient(graphql_app(stranger.schema)) as client:
            await client.subscribe("subscription { endless }")
        assert asyncio.all_tasks() == before


async def test_a_client_is_of_the_settings_unless_told(graphql_client: GraphQLClient) -> None:
    assert await graphql_client.query("{ hello }") == {"hello": "Hello world!"}
