"""What sources do at their end: in peace, and to nobody else's account."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from ariadne.asgi import GraphQL

from realtime.asgi import graphql_app
from realtime.testing import Socket
from realtime.transports import streaming
from realtime.transports.http import HTTPHandler
from realtime.transports.websocket import WebSocketHandler
from tests.realtime.stranger import Stranger
from tests.realtime.streams import HttpStream, answer
from tests.realtime.test_reservations import Client

TIDY = {"query": "subscription { tidy }"}
EVENTS = "text/event-stream"
PARTS = "multipart/mixed;subscriptionSpec=1.0"


class TestFinally:
    """It may await, and is not cut short."""

    @pytest.mark.parametrize("accept", [EVENTS, PARTS])
    async def test_when_a_client_leaves_its_stream(self, accept: str, stranger: Stranger) -> None:
        stream = HttpStream(graphql_app(stranger.schema), accept=accept, body=TIDY)
        await stream.open()
        await stream.chunk()
        await stream.chunk()
        await stream.leave()
        assert stranger.happened == ["tidy ended"]

    async def test_when_a_client_leaves_its_stream_of_all_operations(
        self, stranger: Stranger
    ) -> None:
        app = graphql_app(stranger.schema)
        client = Client(app, (await answer(app, "PUT"))[1])
        await client.stream.open()
        await client.operate(TIDY["query"])
        await client.stream.chunk()
        await client.stream.chunk()
        await client.stream.leave()
        assert stranger.happened == ["tidy ended"]

    async def test_when_the_process_ends(
        self, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(streaming, "_ending", False)
        stream = HttpStream(graphql_app(stranger.schema), accept=EVENTS, body=TIDY)
        await stream.open()
        await stream.chunk()
        await stream.chunk()
        streaming.end_streams()
        assert await stream.rest() == ""
        assert stranger.happened == ["tidy ended"]
        await stream.leave()


async def test_a_stream_that_comes_when_the_process_ends_is_sent_away(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_ending", False)
    streaming.end_streams()
    status, _ = await answer(graphql_app(stranger.schema), "POST", accept=EVENTS, body=TIDY)
    assert status == 503
    assert stranger.happened == []


async def test_a_client_that_does_not_read_its_stream_is_given_up(
    stranger: Stranger, realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(PONG_TIMEOUT=0.01)

    async def stalling(scope: Any, receive: Any, send: Any) -> None:
        async def send_nothing_of_the_body(message: Any) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()
            await send(message)

        await graphql_app(stranger.schema)(scope, receive, send_nothing_of_the_body)
        stranger.happened.append("response ended")

    stream = HttpStream(stalling, accept=EVENTS, body={"query": "subscription { three }"})
    await stream.open()
    await stream.ended()
    assert stranger.happened == ["response ended"]


async def test_an_operation_that_comes_when_its_stream_has_ended_is_refused(
    stranger: Stranger,
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def context(request: Any, data: Any) -> dict[str, Any]:
        asked.set()
        await go_on.wait()
        return {"request": request}

    before = asyncio.all_tasks()
    app = graphql_app(stranger.schema, context_value=context)
    client = Client(app, (await answer(app, "PUT"))[1])
    await client.stream.open()
    operation = asyncio.create_task(client.operate(TIDY["query"]))
    await asked.wait()
    await client.stream.leave()
    go_on.set()
    status, _ = await operation
    assert status == 404
    assert asyncio.all_tasks() - {operation} == before


class TestIdsUsedAgain:
    """An operation that was stopped says nothing for the next with its id."""

    @pytest.mark.parametrize(
        ("source", "happens"),
        [("stubborn", "stubborn went on"), ("clumsy", "clumsy ended"), ("tidy", "tidy ended")],
    )
    async def test_over_websocket(
        self, source: str, happens: str, stranger: Stranger, subprotocol: str
    ) -> None:
        modern = subprotocol == "graphql-transport-ws"
        start, result, stop = (
            ("subscribe", "next", "complete") if modern else ("start", "data", "stop")
        )
        async with Socket(graphql_app(stranger.schema), subprotocols=[subprotocol]) as socket:
            await socket.send({"type": "connection_init"})
            for _ in range(1 if modern else 2):
                await socket.receive()

            async def begin(field: str) -> None:
                payload = {"query": f"subscription {{ {field} }}"}
                await socket.send({"id": "1", "type": start, "payload": payload})

            await begin(source)
            await socket.receive()
            await socket.send({"id": "1", "type": stop})
            await begin("slowly")
            await stranger.has(happens)
            stranger.release.set()
            came = await socket.receive()
            if not modern:
                assert came == {"id": "1", "type": "complete"}  # of what was stopped
                came = await socket.receive()
            assert came == {"id": "1", "type": result, "payload": {"data": {"slowly": 1}}}

    async def test_over_one_stream(self, stranger: Stranger) -> None:
        app = graphql_app(stranger.schema)
        client = Client(app, (await answer(app, "PUT"))[1])
        await client.operate("subscription { endless }")  # whose event waits for the stream
        await client.end("1")
        await client.operate("{ quick }")
        await client.stream.open()
        await client.stream.chunk()
        assert (await client.event())[1]["payload"] == {"data": {"quick": "done"}}
        await client.stream.leave()


class TestLogging:
    """With Ariadne's own formatter, too, a fault of ours is in the log, once."""

    @pytest.mark.parametrize("field", ["breaking", "odd"])
    async def test_of_a_subscription(
        self, field: str, stranger: Stranger, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = GraphQL(stranger.schema, http_handler=HTTPHandler())
        query = {"query": f"subscription {{ {field} }}"}
        with caplog.at_level(logging.ERROR):
            await answer(app, "POST", accept=EVENTS, body=query)
        assert len(caplog.records) == 1

    async def test_of_a_hook(self, stranger: Stranger, caplog: pytest.LogCaptureFixture) -> None:
        def broken(*_: Any) -> None:
            raise KeyError("a secret")

        app = GraphQL(stranger.schema, websocket_handler=WebSocketHandler(on_connect=broken))
        async with Socket(app) as socket:
            await socket.send({"type": "connection_init"})
            assert await socket.closed() == (4500, "Internal server error")
        [record] = caplog.records
        assert "a secret" in record.getMessage()
