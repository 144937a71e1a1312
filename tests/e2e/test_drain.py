"""A server that is told to end: its clients are told to come back, not all at once."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from time import monotonic

import pytest

from tests.e2e.abrupt import Connection, http, request, websocket
from tests.e2e.test_going_away import events, new_dialect, old_dialect
from tests.harness.server import ServerProcess
from tests.harness.servers import migrated

PATH = "/stranger/"
DRAIN_TIME = 0.8


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {
        **migrated(tmp_path_factory),
        "WATCHED_REALTIME": json.dumps({"DRAIN_TIME": DRAIN_TIME}),
    }
    application = "tests.harness.watched:application"
    with ServerProcess("uvicorn", env, application=application) as process:
        yield process
        assert "Traceback" not in process.log(), process.log()


def tell(server: ServerProcess) -> None:
    os.kill(server.pid, signal.SIGTERM)


async def closed(connection: Connection) -> tuple[int, float]:
    """Return how a connection is closed, and when."""
    code = await connection.closed()
    return code, monotonic()


async def busy(server: ServerProcess) -> Connection:
    """Return a connection with a query that takes its time."""
    connection = await websocket(server.port, PATH, "graphql-transport-ws")
    connection.send({"type": "connection_init"})
    await connection.until(b'connection_ack"}')
    query = {"query": f"{{ slow(seconds: {DRAIN_TIME}) }}"}
    connection.send({"type": "subscribe", "id": "1", "payload": query})
    connection.send({"type": "ping"})
    await connection.until(b'pong"}')
    return connection


async def test_clients_are_told_to_come_back_not_all_at_once(server: ServerProcess) -> None:
    connections = [
        await (new_dialect if n % 2 else old_dialect)(server.port, "endless") for n in range(30)
    ]
    for connection in connections:
        await connection.until(b"}}}")
    tell(server)
    closes = await asyncio.gather(*map(closed, connections))
    assert {code for code, _ in closes} == {4012}
    times = [time for _, time in closes]
    assert DRAIN_TIME / 2 < max(times) - min(times) < DRAIN_TIME * 2
    for connection in connections:
        await connection.free()


async def test_a_query_gets_its_result_first(server: ServerProcess) -> None:
    connection = await busy(server)
    tell(server)
    await connection.until(b'"slow":"done"}}}')
    assert await connection.closed() == 4012
    await connection.free()


async def test_who_comes_meanwhile_is_told_at_once(server: ServerProcess) -> None:
    connection = await busy(server)  # so that draining takes its time
    stream = await events(server.port, "endless")
    tell(server)
    await stream.until(b"\r\n0\r\n\r\n")  # streams end first
    newcomer = await websocket(server.port, PATH, "graphql-transport-ws")
    assert await newcomer.closed() == 4012
    for each in (connection, stream, newcomer):
        await each.free()


async def test_a_second_signal_does_not_wait(server: ServerProcess) -> None:
    connection = await websocket(server.port, PATH, "graphql-transport-ws")
    connection.send({"type": "connection_init"})
    await connection.until(b'connection_ack"}')
    stream = await events(server.port, "endless")
    tell(server)
    await stream.until(b"\r\n0\r\n\r\n")
    tell(server)
    assert await connection.closed() in {1012, 4012}
    for each in (connection, stream):
        await each.free()


async def test_answers_meanwhile_say_that_the_connection_closes(server: ServerProcess) -> None:
    connection = await busy(server)  # so that draining takes its time
    stream = await events(server.port, "endless")
    idle = await http(server.port, "POST", PATH, accept="*/*", body={"query": "{ quick }"})
    before = await idle.until(b'"done"}}')
    slow = {"query": f"{{ slow(seconds: {DRAIN_TIME / 2}) }}"}
    in_flight = await http(server.port, "POST", PATH, accept="*/*", body=slow)
    await answered(server)  # so the server has read the one before
    tell(server)
    await stream.until(b"\r\n0\r\n\r\n")  # streams end first
    request(idle, "POST", PATH, accept="*/*", body={"query": "{ quick }"})
    new = await http(server.port, "POST", PATH, accept="*/*", body={"query": "{ quick }"})
    for each in (idle, in_flight, new):
        assert b"connection: close" in await each.until(b'"done"}}')
        assert await each.reader.read() == b""
    assert b"connection: close" not in before
    for each in (connection, stream, idle, in_flight, new):
        await each.free()


async def answered(server: ServerProcess) -> None:
    connection = await http(server.port, "POST", PATH, accept="*/*", body={"query": "{ quick }"})
    await connection.until(b'"done"}}')
    await connection.free()
