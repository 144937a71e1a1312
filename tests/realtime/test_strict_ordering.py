"""Operations that begin one after another, and those that do not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ariadne.asgi import GraphQL

from realtime.testing import GraphQLClient, OperationError, Socket
from realtime.transports.websocket import WebSocketHandler
from tests.realtime.stranger import Stranger


def application(stranger: Stranger) -> GraphQL:
    return GraphQL(stranger.schema, websocket_handler=WebSocketHandler(strict_ordering=True))


@pytest.fixture
async def strict(stranger: Stranger, subprotocol: str) -> AsyncIterator[GraphQLClient]:
    async with GraphQLClient(application(stranger), subprotocol=subprotocol) as client:
        yield client


async def test_an_operation_begins_when_the_one_before_has_its_result(
    strict: GraphQLClient, stranger: Stranger
) -> None:
    first = await strict.subscribe("{ slow }", confirm=False)
    second = await strict.subscribe("{ quick }", confirm=False)
    third = await strict.subscribe("{ slow }", confirm=False)
    await stranger.has("slow started")
    stranger.release.set()
    assert await third.receive() == {"slow": "done"}
    assert await second.receive() == {"quick": "done"}
    assert await first.receive() == {"slow": "done"}
    slow = ["slow started", "slow ended"]
    assert stranger.happened == [*slow, "quick started", *slow]


async def test_without_it_they_overlap(client: GraphQLClient, stranger: Stranger) -> None:
    slow = await client.subscribe("{ slow }", confirm=False)
    assert await client.query("{ quick }") == {"quick": "done"}
    stranger.release.set()
    assert await slow.receive() == {"slow": "done"}
    assert stranger.happened == ["slow started", "quick started", "slow ended"]


async def test_a_subscription_lets_the_next_begin_once_it_is_live(
    strict: GraphQLClient, stranger: Stranger
) -> None:
    subscription = await strict.subscribe("subscription { slowly }", confirm=False)
    query = await strict.subscribe("{ quick }", confirm=False)
    await stranger.has("slowly started")
    await query.expect_nothing(0.02)
    assert "quick started" not in stranger.happened
    stranger.release.set()
    assert await query.receive() == {"quick": "done"}
    assert await subscription.receive() == {"slowly": 1}
    assert "endless ended" not in stranger.happened


async def test_what_fails_or_is_stopped_lets_the_next_begin(
    strict: GraphQLClient, stranger: Stranger
) -> None:
    slow = await strict.subscribe("{ slow }", confirm=False)
    waiting = await strict.subscribe("{ slow }", confirm=False)
    bad = await strict.subscribe("{ unknown }", confirm=False)
    quick = await strict.subscribe("{ quick }", confirm=False)
    await stranger.has("slow started")
    await waiting.stop()
    await slow.stop()
    with pytest.raises(OperationError):
        await bad.receive()
    assert await quick.receive() == {"quick": "done"}
    assert stranger.happened.count("slow started") == 1


async def test_pings_are_answered_meanwhile(stranger: Stranger) -> None:
    async with Socket(application(stranger)) as socket:
        await socket.send({"type": "connection_init"})
        await socket.receive()
        slow: Any = {"id": "1", "type": "subscribe", "payload": {"query": "{ slow }"}}
        await socket.send(slow)
        await stranger.has("slow started")
        await socket.send({"type": "ping", "payload": {"n": 1}})
        assert await socket.receive() == {"type": "pong", "payload": {"n": 1}}
