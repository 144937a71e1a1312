"""Many clients that speak or go at once, before a real Uvicorn."""

import asyncio
import datetime
import logging
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from realtime.rounds import AT_ONCE
from tests.realtime.uvicorn_server import PATIENCE, served

MANY = 4 * AT_ONCE

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def frame(text: str) -> bytes:
    """Return a text frame of a client, masked with zeros."""
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode()


class Application:
    """Notes what it hears, and in which round of the event loop."""

    def __init__(self) -> None:
        self.rounds: Counter[int] = Counter()
        self.heard: dict[Any, list[str]] = {}
        self._round = 0

    async def count(self) -> None:
        while True:
            self._round += 1
            await asyncio.sleep(0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.rounds[self._round] += 1
        heard = self.heard.setdefault(scope["client"], [])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            heard.append("request")
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


async def test_one_that_is_cut_while_it_waits_is_forgotten(
    application: Application, websockets: list[socket.socket], server: uvicorn.Server
) -> None:
    say(websockets, frame("1"))
    await asyncio.sleep(0)  # all have been read, and wait
    await asyncio.sleep(0)
    for connection in [*server.server_state.connections]:
        connection.transport.abort()
    await until(lambda: all(heard[-1:] == ["gone"] for heard in application.heard.values()))
    assert {*map(tuple, application.heard.values())} <= {("gone",), ("1", "gone")}


async def test_requests_of_those_who_go_are_answered(
    application: Application, clients: list[socket.socket], server: uvicorn.Server
) -> None:
    for client in clients:
        client.sendall(REQUEST)
        client.shutdown(socket.SHUT_WR)
    await until(lambda: application.all_heard("request"))
    await until(lambda: not server.server_state.connections)
    assert {client.recv(100)[:12] for client in clients} == {b"HTTP/1.1 204"}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a key and a certificate of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "pem").write_bytes(key.private_bytes(pem, *plain) + signed.public_bytes(pem))
    return tmp_path / "pem"


async def test_tls_is_closed_without_a_word(
    application: Application, certificate: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(certificate)
    client.check_hostname = False
    async with served(application, ssl_certfile=certificate) as server:
        address = server.servers[0].sockets[0].getsockname()
        _, writer = await asyncio.open_connection(*address, ssl=client)
        writer.write(HANDSHAKE)
        await until(lambda: application.heard)
        writer.close()
        await until(lambda: [*application.heard.values()] == [["gone"]])
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
