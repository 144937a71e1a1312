"""A slow query on a socket, and what else goes over it meanwhile."""

from collections.abc import Iterator
from time import monotonic

import pytest

from tests.e2e.abrupt import websocket
from tests.harness.server import ServerProcess
from tests.harness.servers import Environment, Kind

pytestmark = pytest.mark.alone

SLOW = {"query": "{ slow(seconds: 2) }"}


@pytest.fixture(scope="module")
def watched(kind: Kind, environment: Environment) -> Iterator[ServerProcess]:
    application = "tests.harness.watched:application"
    with ServerProcess(kind, environment, application=application) as process:
        yield process


async def test_it_delays_neither_a_pong_nor_another_operation(watched: ServerProcess) -> None:
    connection = await websocket(watched.port, "/stranger/", "graphql-transport-ws")
    connection.send({"type": "connection_init"})
    await connection.until(b"connection_ack")
    connection.send({"type": "subscribe", "id": "slow", "payload": SLOW})
    begun = monotonic()
    for n in range(20):
        sent = monotonic()
        connection.send({"type": "ping", "payload": {"n": n}})
        await connection.until(b"pong")
        assert monotonic() - sent < 0.1
    connection.send({"type": "subscribe", "id": "quick", "payload": {"query": "{ quick }"}})
    await connection.until(b'"quick"')
    assert monotonic() - begun < 2
    await connection.until(b'"slow":"done"')
    assert monotonic() - begun >= 2
    await connection.free()
