"""`manage.py serve`, with one worker and with several."""

import asyncio
import os
import re
import signal
import struct
from collections.abc import Callable, Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.e2e.abrupt import MASK, Connection, websocket
from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import GRAPHQL_PATH, ServerProcess
from tests.harness.servers import Environment, migrated
from tests.harness.websocket_client import SUBPROTOCOL, GraphQLSocket

SEND = """mutation Send($text: String!) { sendChatMessage(chatroom: "cats", text: $text) { ok } }"""
LISTEN = 'subscription { onNewChatMessage(chatroom: "cats") { text } }'
SUBPROTOCOLS = [Subprotocol(SUBPROTOCOL)]

Serve = Callable[..., ServerProcess]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return migrated(tmp_path_factory)


@pytest.fixture
def serve(environment: Environment) -> Iterator[Serve]:
    """Start servers, with options."""
    running: list[ServerProcess] = []

    def start(*options: str) -> ServerProcess:
        server = ServerProcess("uvicorn", environment, options=options)
        running.append(server)
        server.start()
        return server

    try:
        yield start
    finally:
        for server in running:
            server.close()
    for server in running:
        assert "Traceback" not in server.log(), server.log()


async def acknowledged(server: ServerProcess) -> Connection:
    connection = await websocket(server.port, GRAPHQL_PATH, SUBPROTOCOL)
    connection.send({"type": "connection_init"})
    await connection.until(b'connection_ack"}')
    return connection


def workers_of(server: ServerProcess) -> list[int]:
    """Return the process ids of the workers that have started, in their order."""
    return [int(pid) for pid in re.findall(r"Started server process \[(\d+)\]", server.log())]


async def until_started(server: ServerProcess, count: int) -> None:
    """Wait until so many workers have started, all in all."""
    async with asyncio.timeout(30):
        while len(workers_of(server)) < count:
            await asyncio.sleep(0.05)


async def is_listening(server: ServerProcess) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    except ConnectionRefusedError:
        return False
    writer.transport.abort()
    return True


def hang_up_workers(server: ServerProcess) -> None:
    for pid in workers_of(server):
        os.kill(pid, signal.SIGHUP)


@pytest.mark.parametrize(
    ("workers", "tell"),
    [
        ("1", lambda server: os.kill(server.pid, signal.SIGTERM)),
        ("1", lambda server: os.kill(server.pid, signal.SIGHUP)),
        ("2", lambda server: os.kill(server.pid, signal.SIGTERM)),
        ("2", lambda server: os.killpg(server.pid, signal.SIGTERM)),
        ("2", lambda server: os.killpg(server.pid, signal.SIGINT)),
        ("2", lambda server: os.kill(server.pid, signal.SIGKILL)),
        ("2", hang_up_workers),
    ],
    ids=[
        "one worker",
        "hang-up",
        "two workers",
        "all at once",
        "Ctrl-C",
        "death of the supervisor",
        "hang-up of workers",
    ],
)
async def test_clients_are_told_to_come_back(
    workers: str, tell: Callable[[ServerProcess], None], serve: Serve
) -> None:
    server = serve("--workers", workers)
    await until_started(server, int(workers))
    connections = await asyncio.gather(*(acknowledged(server) for _ in range(20)))
    tell(server)
    codes = await asyncio.gather(*(connection.closed() for connection in connections))
    assert set(codes) == {4012}
    for connection in connections:
        await connection.free()
    await asyncio.to_thread(server.stop)


async def test_workers_end_with_their_supervisor(serve: Serve) -> None:
    server = serve("--workers", "2")
    await until_started(server, 2)
    os.kill(server.pid, signal.SIGKILL)
    async with asyncio.timeout(30):
        while await is_listening(server):
            await asyncio.sleep(0.05)
    assert server.log().count("The supervisor of this worker has ended") == 2


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
async def test_a_worker_that_ends_is_replaced(number: signal.Signals, serve: Serve) -> None:
    server = serve("--workers", "2")
    await until_started(server, 2)
    os.kill(workers_of(server)[0], number)
    await until_started(server, 3)


async def test_workers_on_sqlite_share_events(serve: Serve) -> None:
    server = serve("--workers", "2")
    sockets = [GraphQLSocket(server.ws_url) for _ in range(8)]
    try:
        await asyncio.gather(*(socket.__aenter__() for socket in sockets))
        rooms = [await socket.live(LISTEN) for socket in sockets]
        for n in range(10):
            await asyncio.to_thread(GraphQLHTTP(server.graphql_url).post, SEND, {"text": str(n)})
        for room in rooms:
            texts = [(await room.next())["data"]["onNewChatMessage"]["text"] for _ in range(10)]
            assert texts == [str(n) for n in range(10)]
    finally:
        for socket in sockets:
            await socket.__aexit__(None, None, None)


async def test_nothing_is_compressed(serve: Serve) -> None:
    server = serve()
    async with connect(server.ws_url, subprotocols=SUBPROTOCOLS, proxy=None) as socket:
        assert socket.request is not None
        assert "permessage-deflate" in socket.request.headers["Sec-WebSocket-Extensions"]
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers


async def test_a_message_far_beyond_the_limit_is_not_read(serve: Serve) -> None:
    server = serve()
    connection = await acknowledged(server)
    # The head alone, which promises a byte too much.
    connection.writer.write(b"\x81" + struct.pack(">BQ", 0xFF, 16 * 64 * 1024 + 1) + MASK)
    assert await connection.closed() == 1009
    await connection.free()


async def test_a_proxy_that_is_named_tells_the_scheme(serve: Serve) -> None:
    server = serve("--forwarded-allow-ips", "127.0.0.1")
    async with by_tls(server):
        pass


async def test_no_other_does(serve: Serve) -> None:
    server = serve()
    with pytest.raises(InvalidStatus):
        async with by_tls(server):
            pass


def by_tls(server: ServerProcess) -> connect:
    """Connect as a browser does whose TLS ends at a proxy."""
    return connect(
        server.ws_url,
        subprotocols=SUBPROTOCOLS,
        origin=Origin(server.url.replace("http:", "https:")),
        additional_headers={"X-Forwarded-Proto": "https"},
        proxy=None,
    )
