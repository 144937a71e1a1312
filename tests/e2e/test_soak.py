"""Ten thousand clients that connect, subscribe and break off."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.abrupt import Connection, http, websocket
from tests.e2e.test_going_away import held, until
from tests.harness.server import ServerProcess
from tests.harness.servers import migrated

CYCLES = 10_000
AT_ONCE = 8
WARM_UP = 2_000
GROWTH = 2 * 1024
"""KiB by which memory may differ between the second fifth of the cycles and the last."""

QUERY = "subscription { getOrder { state } }"
CONFIRM = {"query": QUERY, "extensions": {"confirm": True}}
PATH = "/graphql/"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    application = "tests.harness.watched:application"
    with ServerProcess("uvicorn", migrated(tmp_path_factory), application=application) as process:
        yield process
        assert "Traceback" not in process.log(), process.log()


async def handshake(port: int) -> Connection:
    return await websocket(port, PATH, "graphql-transport-ws")


async def hurried(port: int) -> Connection:
    connection = await websocket(port, PATH, "graphql-ws")
    connection.send({"type": "connection_init"})
    connection.send({"type": "start", "id": "1", "payload": CONFIRM})
    return connection


async def new_dialect(port: int) -> Connection:
    connection = await websocket(port, PATH, "graphql-transport-ws")
    connection.send({"type": "connection_init"})
    await connection.until(b"connection_ack")
    connection.send({"type": "subscribe", "id": "1", "payload": CONFIRM})
    await connection.until(b"subscribed")
    return connection


async def old_dialect(port: int) -> Connection:
    connection = await hurried(port)
    await connection.until(b"subscribed")
    return connection


async def events(port: int) -> Connection:
    connection = await http(port, "POST", PATH, accept="text/event-stream", body=CONFIRM)
    await connection.until(b"subscribed")
    return connection


def resident(pid: int) -> int:
    """Return the memory of a process, in KiB."""
    [line] = [
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line
    ]
    return int(line.split()[1])


async def test_nothing_is_left_of_them(watched: ServerProcess) -> None:
    before = held(watched)
    dice = random.Random(0)
    openings = [handshake, hurried, new_dialect, old_dialect, events]
    remaining = CYCLES
    memory = 0

    async def cycle() -> None:
        nonlocal remaining, memory
        while remaining > 0:
            remaining -= 1
            if remaining == CYCLES - WARM_UP:
                memory = resident(watched.pid)
            connection = await dice.choice(openings)(watched.port)
            dice.choice([Connection.reset, Connection.hang_up])(connection)
            await connection.free()

    async with asyncio.TaskGroup() as clients:
        for _ in range(AT_ONCE):
            clients.create_task(cycle())
    await until(lambda: held(watched) == before, within=10)
    assert resident(watched.pid) - memory <= GROWTH
