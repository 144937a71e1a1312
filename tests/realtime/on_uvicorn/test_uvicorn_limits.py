"""What Uvicorn refuses before an application sees it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from realtime import uvicorn_limits
from tests.realtime.on_uvicorn.server import PATIENCE, served

HOST = "127.0.0.1"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the size of the body; accept WebSockets."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        return
    size = 0
    while (message := await receive())["type"] == "http.request":
        size += len(message["body"])
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


@pytest.fixture
async def server() -> AsyncIterator[uvicorn.Server]:
    async with served(echo) as server:
        yield server


@asynccontextmanager
async def connected(
    server: uvicorn.Server,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    port = server.servers[0].sockets[0].getsockname()[1]
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def status(server: uvicorn.Server, *parts: bytes) -> int:
    """Return the status that a request is answered with."""
    async with connected(server) as (reader, writer):
        for part in parts:
            writer.write(part)
        line = await reader.readline()
        return int(line.split()[1])


def headers(count: int, size: int = 1) -> bytes:
    return b"".join(b"X-%d: %s\r\n" % (number, b"x" * size) for number in range(count))


TOO_LARGE = {
    "many headers": GET + headers(100) + b"\r\n",
    "large headers": GET + headers(10, 7_000) + b"\r\n",
    "one large header": GET + headers(1, 70_000) + b"\r\n",
    "a header without an end": GET + b"X: " + b"x" * 70_000,
    "a name without an end": GET + b"x" * 70_000,
    "a large address": b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    "an address without an end": b"GET /" + b"x" * 70_000,
    "a trailer without an end": POST
    + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: "
    + b"x" * 70_000,
    "an extension of a chunk without an end": POST
    + b"Transfer-Encoding: chunked\r\n\r\n1;"
    + b"x" * 70_000,
    "a handshake with a line that WebSockets do not take": UPGRADE + headers(1, 9_000) + b"\r\n",
    "a handshake with a large address": UPGRADE.replace(b"/ ", b"/" + b"x" * 9_000 + b" ", 1)
    + b"\r\n",
}


@pytest.mark.parametrize("request_", TOO_LARGE.values(), ids=TOO_LARGE)
async def test_a_head_that_is_too_large_is_refused(request_: bytes, server: uvicorn.Server) -> None:
    assert await status(server, request_) == 431


@pytest.mark.parametrize(
    "request_",
    [
        GET + headers(99) + b"\r\n",
        GET + headers(9, 7_000) + b"\r\n",
        b"GET /?" + b"x" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        POST + b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000,
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n",
    ],
    ids=["headers", "large headers", "a long address", "a body", "a body in many chunks"],
)
async def test_a_request_within_the_limits_is_served(
    request_: bytes, server: uvicorn.Server
) -> None:
    assert await status(server, request_) == 200


async def test_the_limits_hold_for_each_request_of_a_connection(server: uvicorn.Server) -> None:
    async with connected(server) as (reader, writer):
        for _ in range(3):
            writer.write(GET + headers(9, 7_000) + b"\r\n")
            assert b" 200 " in await reader.readuntil(b"0\r\n\r\n")
        writer.write(GET + headers(100) + b"\r\n")
        assert b" 431 " in await reader.readline()


async def test_a_refused_connection_is_closed(server: uvicorn.Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(GET + headers(100) + b"\r\n")
        assert (await reader.read()).endswith(b"Request Header Fields Too Large")


async def test_a_handshake_with_a_line_of_8_kb_is_served(server: uvicorn.Server) -> None:
    assert await status(server, UPGRADE + headers(1, 8_000) + b"\r\n") == 101


class TestSlowClients:
    async def test_a_connection_that_asks_nothing_is_closed(
        self, monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
    ) -> None:
        monkeypatch.setattr(uvicorn_limits, "HEAD_TIMEOUT", 0.01)
        async with connected(server) as (reader, _):
            assert await reader.read() == b""

    async def test_a_head_that_does_not_end_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
    ) -> None:
        monkeypatch.setattr(uvicorn_limits, "HEAD_TIMEOUT", 0.05)
        assert await status(server, GET) == 408

    async def test_a_second_head_that_does_not_end_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
    ) -> None:
        monkeypatch.setattr(uvicorn_limits, "HEAD_TIMEOUT", 0.5)
        async with connected(server) as (reader, writer):
            writer.write(GET + b"\r\n")
            assert b" 200 " in await reader.readuntil(b"0\r\n\r\n")
            writer.write(GET)
            assert b" 408 " in await reader.readline()

    @pytest.mark.parametrize("begun", [b"", b"x"])
    async def test_a_body_that_does_not_come_is_refused(
        self, begun: bytes, monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
    ) -> None:
        monkeypatch.setattr(uvicorn_limits, "BODY_PERIOD", 0.05)
        assert await status(server, POST + b"Content-Length: 10\r\n\r\n" + begun) == 408

    async def test_a_slow_body_is_taken_as_long_as_it_comes(
        self, monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
    ) -> None:
        monkeypatch.setattr(uvicorn_limits, "BODY_PERIOD", 0.05)
        monkeypatch.setattr(uvicorn_limits, "MIN_BODY_RATE", 20)
        async with connected(server) as (reader, writer):
            writer.write(POST + b"Content-Length: 40\r\n\r\n")
            for _ in range(40):
                writer.write(b"x")
                await asyncio.sleep(0.01)
            assert b" 200 " in await reader.readline()


class TestConnectionsOfOneAddress:
    @pytest.fixture(autouse=True)
    def _limit(self, realtime_settings: Callable[..., None]) -> None:
        realtime_settings(MAX_CONNECTIONS_PER_ADDRESS=1)

    @pytest.fixture
    async def server(self) -> AsyncIterator[uvicorn.Server]:
        async with served(echo, proxy_headers=False) as server:
            yield server

    async def test_one_too_many_is_refused(self, server: uvicorn.Server) -> None:
        limit = uvicorn_limits.CONNECTIONS_FACTOR
        connections = [connected(server) for _ in range(limit)]
        for connection in connections:
            reader, writer = await connection.__aenter__()
            writer.write(GET + b"\r\n")
            await reader.readuntil(b"0\r\n\r\n")
        assert await status(server, b"") == 503
        await connections[0].__aexit__(None, None, None)
        async with asyncio.timeout(PATIENCE):
            while await status(server, GET + b"\r\n") != 200:
                pass
        for connection in connections[1:]:
            await connection.__aexit__(None, None, None)

    async def test_websockets_are_not_counted(self, server: uvicorn.Server) -> None:
        for _ in range(3 * uvicorn_limits.CONNECTIONS_FACTOR):
            assert await status(server, UPGRADE + b"\r\n") == 101

    async def test_a_believed_proxy_may_have_any_number(self) -> None:
        async with served(echo, proxy_headers=True, forwarded_allow_ips=HOST) as server:
            open_ = [connected(server) for _ in range(2 * uvicorn_limits.CONNECTIONS_FACTOR)]
            for connection in open_:
                await connection.__aenter__()
            assert await status(server, GET + b"\r\n") == 200
            for connection in open_:
                await connection.__aexit__(None, None, None)
