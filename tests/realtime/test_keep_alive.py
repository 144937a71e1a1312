"""Pings and keep-alives: who is silent, who does not read, and who is there."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import realtime.outbox
from realtime.asgi import graphql_app
from realtime.testing import GraphQLClient, Socket
from tests.realtime.conftest import acknowledged
from tests.realtime.stranger import Stranger

MODERN, LEGACY = "graphql-transport-ws", "graphql-ws"

Set = Callable[..., None]


def begin(subprotocol: str) -> dict[str, Any]:
    kind = "subscribe" if subprotocol == MODERN else "start"
    return {"id": "1", "type": kind, "payload": {"query": "subscription { endless }"}}


async def test_a_silent_client_is_closed_and_what_it_started_has_ended(
    stranger: Stranger, realtime_settings: Set
) -> None:
    realtime_settings(KEEP_ALIVE_INTERVAL=0.05, PONG_TIMEOUT=0.05)
    async with acknowledged(stranger, MODERN) as socket:
        await socket.send(begin(MODERN))
        assert {(await socket.receive())["type"] for _ in range(2)} == {"next", "ping"}
        assert await socket.closed() == (4006, "No answer to ping")
        assert "endless ended" in stranger.happened


async def test_a_client_that_never_initialised_is_asked_too(
    stranger: Stranger, realtime_settings: Set
) -> None:
    realtime_settings(KEEP_ALIVE_INTERVAL=0.01, PONG_TIMEOUT=0.01)
    async with Socket(graphql_app(stranger.schema)) as socket:
        assert await socket.receive() == {"type": "ping"}
        assert await socket.closed() == (4006, "No answer to ping")


@pytest.mark.parametrize(
    "answer", [{"type": "pong"}, {"type": "pong", "payload": {}}, {"type": "complete", "id": "9"}]
)
async def test_any_message_in_time_keeps_the_connection(
    answer: dict[str, Any], stranger: Stranger, realtime_settings: Set
) -> None:
    realtime_settings(KEEP_ALIVE_INTERVAL=0.02)
    async with acknowledged(stranger, MODERN) as socket:
        for _ in range(3):  # a ping comes when the one before was answered
            assert await socket.receive() == {"type": "ping"}
            await socket.send(answer)


async def test_the_test_client_answers(
    stranger: Stranger, subprotocol: str, realtime_settings: Set
) -> None:
    realtime_settings(KEEP_ALIVE_INTERVAL=0.001, PONG_TIMEOUT=1.0)
    app = graphql_app(stranger.schema)
    async with GraphQLClient(app, subprotocol=subprotocol) as client:
        for _ in range(20):
            assert await client.query("{ quick }") == {"quick": "done"}


async def test_clients_of_the_legacy_dialect_are_told_and_not_asked(
    stranger: Stranger, realtime_settings: Set
) -> None:
    realtime_settings(KEEP_ALIVE_INTERVAL=0.001, PONG_TIMEOUT=0.001)
    async with acknowledged(stranger, LEGACY) as socket:
        for _ in range(5):
            assert await socket.receive() == {"type": "ka"}


async def test_without_an_interval_none_is_sent(
    stranger: Stranger, subprotocol: str, realtime_settings: Set
) -> None:
    realtime_settings(KEEP_ALIVE_INTERVAL=0)
    async with acknowledged(stranger, subprotocol) as socket:
        await socket.send(begin(subprotocol))
        assert (await socket.receive())["id"] == "1"
        assert "heartbeat" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_client_that_has_stopped_to_read_is_given_up(
    stranger: Stranger,
    subprotocol: str,
    realtime_settings: Set,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    realtime_settings(KEEP_ALIVE_INTERVAL=0.05, PONG_TIMEOUT=0.01)
    monkeypatch.setattr(realtime.outbox, "STALL_TIMEOUT", 0.01)
    app = graphql_app(stranger.schema)
    stalled, ended = asyncio.Event(), asyncio.Event()

    async def stalling(scope: Any, receive: Any, send: Any) -> None:
        async def send_unless_stalled(message: Any) -> None:
            if stalled.is_set():
                await asyncio.Event().wait()
            await send(message)

        await app(scope, receive, send_unless_stalled)
        ended.set()

    async with GraphQLClient(stalling, subprotocol=subprotocol) as client:
        subscription = await client.subscribe("subscription { endless }")
        await subscription.receive()
        stalled.set()
        async with asyncio.timeout(5):
            await ended.wait()
        assert "endless ended" in stranger.happened


async def test_one_that_stops_to_read_behind_a_ping_is_not_taken_for_silent(
    stranger: Stranger, realtime_settings: Set
) -> None:
    realtime_settings(KEEP_ALIVE_INTERVAL=0.05, PONG_TIMEOUT=0.05)
    app = graphql_app(stranger.schema)
    reading = asyncio.Event()
    reading.set()

    async def stalling(scope: Any, receive: Any, send: Any) -> None:
        async def send_while_reading(message: Any) -> None:
            await reading.wait()
            await send(message)

        await app(scope, receive, send_while_reading)

    async with Socket(stalling) as socket:
        await socket.send({"type": "connection_init"})
        while await socket.receive() != {"type": "ping"}:
            pass
        reading.clear()
        await socket.send({"type": "subscribe", "id": "1", "payload": {"query": "{ quick }"}})
        asyncio.get_running_loop().call_later(0.5, reading.set)
        assert await socket.closed() == (4008, "Too slow to read")
