"""Many clients that speak or go at once, before a real Uvicorn."""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing
from contextvars import ContextVar
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from realtime.rounds import AT_ONCE
from tests.harness.certificates import self_signed
from tests.realtime.on_uvicorn.server import PATIENCE, served

MANY = 4 * AT_ONCE
LARGE = 100_000
"""Bytes of a body: more than Uvicorn reads ahead."""

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
UPLOAD = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGE}\r\n\r\n".encode() + bytes(LARGE)
INVALID = bytes([0x81, 0x81, 0, 0, 0, 0, 0xFF, 0x88, 0x80, 0, 0, 0, 0])
"""A text that is none, and the close right behind it: Uvicorn raises an exception."""

whose: ContextVar[str] = ContextVar("whose", default="nobody's")


def frame(text: str) -> bytes:
    """Return a text frame of a client, masked with zeros."""
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode()


class Application:
    """Notes what it hears, and in which round of the event loop."""

    def __init__(self) -> None:
        self.rounds: Counter[int] = Counter()
        self.heard: dict[Any, list[str]] = {}
        self.contexts: set[str] = set()
        self._round = 0

    async def count(self) -> None:
        while True:
            self._round += 1
            await asyncio.sleep(0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.rounds[self._round] += 1
        heard = self.heard.setdefault(scope["client"], [])
        self.contexts.add(whose.get())
        if scope["type"] == "http":
            size = 0
            while (message := await receive())["type"] == "http.request":
                size += len(message.get("body", b""))
                if not message.get("more_body"):
                    break
            heard.append(f"request of {size}")
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            self.rounds[self._round] += 1
            heard.append(message["text"])
        heard.append("gone")

    def all_heard(self, *texts: str) -> bool:
        return len(self.heard) == MANY and all(each == [*texts] for each in self.heard.values())


async def until(is_so: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await asyncio.sleep(0)


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    application = Application()
    counting = asyncio.create_task(application.count())
    yield application
    counting.cancel()


@pytest.fixture
async def server(application: Application) -> AsyncIterator[uvicorn.Server]:
    async with served(application) as server:
        yield server


@pytest.fixture
def clients(server: uvicorn.Server) -> Iterator[list[socket.socket]]:
    """Return many connections, of which none has said anything."""
    address = server.servers[0].sockets[0].getsockname()
    with ExitStack() as stack:
        yield [stack.enter_context(closing(socket.create_connection(address))) for _ in range(MANY)]


@pytest.fixture
async def websockets(application: Application, clients: list[socket.socket]) -> list[socket.socket]:
    """Return the same, as accepted WebSockets."""
    say(clients, HANDSHAKE)
    await until(lambda: application.all_heard())
    for client in clients:
        client.recv(1_000)  # else what is unread makes a reset of the end
    application.rounds.clear()
    return clients


def say(clients: list[socket.socket], what: bytes) -> None:
    """Have all say something while the server has no turn."""
    for client in clients:
        client.sendall(what)


@pytest.mark.parametrize("what", [REQUEST, HANDSHAKE], ids=["requests", "handshakes"])
async def test_requests_are_taken_a_few_a_round(
    what: bytes, application: Application, clients: list[socket.socket]
) -> None:
    say(clients, what)
    await until(lambda: len(application.heard) == MANY)
    assert max(application.rounds.values()) <= AT_ONCE


async def test_messages_are_taken_a_few_a_round(
    application: Application, websockets: list[socket.socket]
) -> None:
    say(websockets, frame("1"))
    await until(lambda: application.all_heard("1"))
    assert max(application.rounds.values()) <= AT_ONCE


async def test_messages_of_each_keep_their_order(
    application: Application, websockets: list[socket.socket]
) -> None:
    for text in "123":
        say(websockets, frame(text))
        await asyncio.sleep(0)
    await until(lambda: application.all_heard("1", "2", "3"))


async def test_what_was_said_last_is_heard_of_all_who_go(
    application: Application, websockets: list[socket.socket]
) -> None:
    for client in websockets:
        client.sendall(frame("last"))
        client.close()
    await until(lambda: application.all_heard("last", "gone"))


async def test_one_that_is_cut_while_it_waits_is_not_heard(
    application: Application, websockets: list[socket.socket], server: uvicorn.Server
) -> None:
    say(websockets, frame("1"))
    await until(lambda: application.rounds)  # all have been read, and most wait
    for connection in [*server.server_state.connections]:
        connection.transport.abort()
    await until(lambda: all(heard[-1:] == ["gone"] for heard in application.heard.values()))
    assert ["gone"] in application.heard.values()


async def test_those_who_go_are_let_go_a_few_a_round(
    websockets: list[socket.socket], server: uvicorn.Server
) -> None:
    transports = [each.transport for each in server.server_state.connections]
    for client in websockets:
        client.close()
    gone = [0]
    while gone[-1] < MANY:
        await asyncio.sleep(0)
        gone.append(sum(each.is_closing() for each in transports))
    assert max(after - before for before, after in pairwise(gone)) <= AT_ONCE


@pytest.mark.parametrize("what", [REQUEST, HANDSHAKE], ids=["requests", "handshakes"])
async def test_each_is_heard_in_the_context_of_the_server(
    what: bytes, application: Application
) -> None:
    whose.set("the server's")
    async with served(application) as server:
        address = server.servers[0].sockets[0].getsockname()
        clients = [socket.create_connection(address) for _ in range(MANY)]
        say(clients, what)
        await until(lambda: len(application.heard) == MANY)
        for client in clients:
            client.close()
    assert application.contexts == {"the server's"}


async def test_one_whose_protocol_fails_is_cut(
    application: Application, websockets: list[socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "asyncio")
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    say(websockets, INVALID)
    await until(lambda: application.all_heard("gone"))
    assert {client.recv(1_000)[-1:] for client in websockets} <= {b"", b"\n"}


async def test_large_bodies_are_read_as_the_application_reads_them(
    application: Application, clients: list[socket.socket]
) -> None:
    async def upload(client: socket.socket) -> None:
        client.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(client, UPLOAD)

    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(upload(client))
    await until(lambda: application.all_heard(f"request of {LARGE}"))


async def test_requests_in_line_are_answered_before_the_server_ends(
    application: Application, clients: list[socket.socket], server: uvicorn.Server
) -> None:
    say(clients, REQUEST)
    await until(lambda: application.rounds)
    for connection in [*server.server_state.connections]:
        connection.shutdown()  # as Uvicorn does with all
    await until(lambda: application.all_heard("request of 0"))


async def test_requests_of_those_who_go_are_answered(
    application: Application, clients: list[socket.socket], server: uvicorn.Server
) -> None:
    for client in clients:
        client.sendall(REQUEST)
        client.shutdown(socket.SHUT_WR)
    await until(lambda: application.all_heard("request of 0"))
    await until(lambda: not server.server_state.connections)
    assert {client.recv(100)[:12] for client in clients} == {b"HTTP/1.1 204"}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


async def test_over_tls_what_was_said_last_is_heard(
    application: Application, certificate: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate)
    context.check_hostname = False
    async with served(application, ssl_certfile=certificate) as server:
        address = server.servers[0].sockets[0].getsockname()
        clients = [await asyncio.open_connection(*address, ssl=context) for _ in range(MANY)]
        for _, writer in clients:
            writer.write(HANDSHAKE)
        await until(lambda: application.all_heard())
        for _, writer in clients:
            writer.write(frame("last"))
            writer.close()
        await until(lambda: application.all_heard("last", "gone"))
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
