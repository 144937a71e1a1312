"""Clients that ask for large results and do not read them: what they cost the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.e2e.abrupt import Connection, websocket
from tests.e2e.test_soak import resident
from tests.harness.server import ServerProcess
from tests.harness.servers import migrated

pytestmark = pytest.mark.alone

REALTIME = {"KEEP_ALIVE_INTERVAL": 1.0, "PONG_TIMEOUT": 1.0}
CLIENTS = 16
MOST = 64 * 1024
"""KiB by which memory may grow, whatever they do."""

LARGEST = "{ large(texts: 340) }"
"""Just below four megabytes."""

TOO_LARGE = "{" + " ".join(f"a{n}: large(texts: 750)" for n in range(20)) + "}"
"""180 megabytes."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {**migrated(tmp_path_factory), "WATCHED_REALTIME": json.dumps(REALTIME)}
    application = "tests.harness.watched:application"
    with ServerProcess("uvicorn", env, application=application) as server:
        yield server
        assert "Traceback" not in server.log(), server.log()


@asynccontextmanager
async def connected(server: ServerProcess, address: str) -> AsyncIterator[Connection]:
    # A small limit: what is not read stays with the server.
    streams = await asyncio.open_connection(
        "127.0.0.1", server.port, local_addr=(address, 0), limit=1024
    )
    connection = Connection(*streams)
    try:
        yield connection
    finally:
        await connection.free()


async def growth(server: ServerProcess, before: int, seconds: float = 5.0) -> int:
    """Return the KiB by which memory has grown, at most, in so many seconds."""
    most = 0
    for _ in range(int(seconds * 20)):
        await asyncio.sleep(0.05)
        most = max(most, resident(server.pid) - before)
    return most


def post(query: str) -> bytes:
    body = json.dumps({"query": query})
    return (
        f"POST /stranger/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


@pytest.mark.parametrize("query", [LARGEST, TOO_LARGE])
@pytest.mark.parametrize("addresses", [1, CLIENTS])
async def test_over_http(addresses: int, query: str, server: ServerProcess) -> None:
    async with AsyncExitStack() as stack:
        before = resident(server.pid)
        for number in range(CLIENTS):
            address = f"127.0.0.{1 + number % addresses}"
            client = await stack.enter_async_context(connected(server, address))
            client.writer.write(post(query) * 20)
        found = await growth(server, before)
    assert found < MOST


@pytest.mark.parametrize("query", [LARGEST, TOO_LARGE])
async def test_over_one_websocket(query: str, server: ServerProcess) -> None:
    before = resident(server.pid)
    client = await websocket(server.port, "/stranger/", "graphql-transport-ws")
    client.send({"type": "connection_init"})
    await client.until(b"connection_ack")
    for number in range(100):
        payload = {"query": query}
        client.send({"type": "subscribe", "id": str(number), "payload": payload})
    found = await growth(server, before)
    await client.free()
    assert found < MOST
