"""Whatever way a client goes, all that it started has ended within a second."""

import asyncio
import json
import struct
import urllib.request
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.e2e.abrupt import Connection, http, websocket
from tests.harness import ENDED
from tests.harness.server import ServerProcess
from tests.harness.servers import Environment, Kind, migrated

PATH = "/stranger/"
MARK = {"endless": b'"endless":1', "flood": b"xxx"}

Open = Callable[[int, str], Awaitable[Connection]]


async def new_dialect(port: int, field: str) -> Connection:
    connection = await websocket(port, PATH, "graphql-transport-ws")
    connection.send({"type": "connection_init"})
    await connection.until(b"connection_ack")
    payload = {"query": f"subscription {{ {field} }}"}
    connection.send({"type": "subscribe", "id": "1", "payload": payload})
    await connection.until(MARK[field])
    return connection


async def old_dialect(port: int, field: str) -> Connection:
    connection = await websocket(port, PATH, "graphql-ws")
    connection.send({"type": "connection_init"})
    payload = {"query": f"subscription {{ {field} }}"}
    connection.send({"type": "start", "id": "1", "payload": payload})
    await connection.until(MARK[field])
    return connection


async def events(port: int, field: str) -> Connection:
    body = {"query": f"subscription {{ {field} }}"}
    connection = await http(port, "POST", PATH, accept="text/event-stream", body=body)
    await connection.until(MARK[field])
    return connection


async def parts(port: int, field: str) -> Connection:
    body = {"query": f"subscription {{ {field} }}"}
    accept = "multipart/mixed;subscriptionSpec=1.0"
    connection = await http(port, "POST", PATH, accept=accept, body=body)
    await connection.until(MARK[field])
    return connection


async def one_for_all(port: int, field: str) -> Connection:
    reservation = await http(port, "PUT", PATH, accept="*/*")
    head = (await reservation.until(b"\r\n\r\n")).decode().lower()
    [length] = [line for line in head.splitlines() if line.startswith("content-length:")]
    token = (await reservation.reader.readexactly(int(length.partition(":")[2]))).decode()
    await reservation.free()
    connection = await http(port, "GET", PATH, accept="text/event-stream", token=token)
    body = {"query": f"subscription {{ {field} }}", "extensions": {"operationId": "1"}}
    operation = await http(port, "POST", PATH, accept="*/*", token=token, body=body)
    await operation.until(b" 202 ")
    await operation.free()
    await connection.until(MARK[field])
    return connection


WEBSOCKETS: list[Open] = [new_dialect, old_dialect]
STREAMS: list[Open] = [events, parts, one_for_all]


@pytest.fixture(scope="module")
def watched(kind: Kind, environment: Environment) -> Iterator[ServerProcess]:
    application = "tests.harness.watched:application"
    with ServerProcess(kind, environment, application=application) as process:
        yield process
        assert "Traceback" not in process.log(), process.log()


@pytest.fixture(scope="module")
def impatient(kind: Kind, environment: Environment) -> Iterator[ServerProcess]:
    """A server that asks at once whether its clients are there."""
    patience = json.dumps({"KEEP_ALIVE_INTERVAL": 0.2, "PONG_TIMEOUT": 0.2})
    env = {**environment, "WATCHED_REALTIME": patience}
    application = "tests.harness.watched:application"
    with ServerProcess(kind, env, application=application) as process:
        yield process
        assert "Traceback" not in process.log(), process.log()


def held(server: ServerProcess) -> dict[str, int]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{server.url}/held", timeout=10) as response:
        counts: dict[str, int] = json.loads(response.read())
        return counts


async def until(condition: Callable[[], bool], *, within: float) -> None:
    async with asyncio.timeout(within):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


async def assert_nothing_is_left(
    server: ServerProcess, before: dict[str, int], ended: int, *, within: float = 1
) -> None:
    await until(lambda: server.log().count(ENDED) == ended + 1, within=within)
    await until(lambda: held(server) == before, within=5)


@pytest.mark.parametrize("open", WEBSOCKETS + STREAMS)
@pytest.mark.parametrize("go", [Connection.close, Connection.hang_up, Connection.reset])
async def test_going(go: Callable[[Connection], None], open: Open, watched: ServerProcess) -> None:
    before, ended = held(watched), watched.log().count(ENDED)
    connection = await open(watched.port, "endless")
    go(connection)
    await assert_nothing_is_left(watched, before, ended)
    await connection.free()


@pytest.mark.parametrize("open", WEBSOCKETS)
async def test_no_longer_reading(open: Open, kind: Kind, impatient: ServerProcess) -> None:
    if kind == "daphne":
        return  # it takes all that is sent
    before, ended = held(impatient), impatient.log().count(ENDED)
    connection = await open(impatient.port, "flood")
    await until(lambda: impatient.log().count(ENDED) == ended + 1, within=2)
    end = b""
    while struct.pack(">H", 4008) + b"Too slow to read" not in end:
        chunk = await connection.reader.read(1 << 16)
        assert chunk
        end = end[-50:] + chunk
    await connection.free()
    await until(lambda: held(impatient) == before, within=5)


async def test_no_longer_answering(impatient: ServerProcess) -> None:
    before, ended = held(impatient), impatient.log().count(ENDED)
    connection = await new_dialect(impatient.port, "endless")
    await assert_nothing_is_left(impatient, before, ended, within=2)
    await connection.free()


async def test_the_server_goes(tmp_path_factory: pytest.TempPathFactory) -> None:
    application = "tests.harness.watched:application"
    with ServerProcess("uvicorn", migrated(tmp_path_factory), application=application) as server:
        connections = [await open(server.port, "endless") for open in WEBSOCKETS + STREAMS]
        await asyncio.to_thread(server.stop)
        assert server.log().count(ENDED) == len(connections)
        for connection in connections:
            await connection.free()
