"""Frames that the application does not see, and clients that do not read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect

from realtime import uvicorn_pacing
from tests.realtime.on_uvicorn.server import PATIENCE, served, url

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
PING = b"\x89\x80\0\0\0\0"
LONG_PING = b"\x89\xfd\0\0\0\0" + b"x" * 125
TEXT_BEGINS = b"\x01\x80\0\0\0\0"
MORE_TEXT = b"\x00\x80\0\0\0\0"
FEW = 2 * uvicorn_pacing.SLICE // len(PING)
"""Frames that may be taken before their number is looked at."""


async def echo(_: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


@pytest.fixture
async def server() -> AsyncIterator[uvicorn.Server]:
    async with served(echo) as server:
        yield server


@asynccontextmanager
async def raw(
    server: uvicorn.Server,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    port = server.servers[0].sockets[0].getsockname()[1]
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(HANDSHAKE)
            await reader.readuntil(b"\r\n\r\n")
            yield reader, writer
        finally:
            writer.transport.abort()


async def is_served(server: uvicorn.Server) -> bool:
    async with asyncio.timeout(PATIENCE), connect(url(server)) as client:
        for _ in range(10):
            await client.send("hello")
            if await client.recv() != "hello":
                return False
    return True


async def sent_until_full(writer: asyncio.StreamWriter, data: bytes, server: Any) -> int:
    """Send again and again; return the bytes that the server and the system took."""
    sent = 0
    while True:
        writer.write(data)
        sent += len(data)
        try:
            await asyncio.wait_for(writer.drain(), 0.05)
        except TimeoutError:
            assert await is_served(server)  # a while later it still takes nothing
            with suppress(TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.05)
                continue
            return sent


def unread(server: uvicorn.Server) -> int:
    """Return the bytes that wait for the clients of a server to read."""
    return sum(each.transport.get_write_buffer_size() for each in server.server_state.connections)


async def test_a_flood_of_pings_is_not_read_on(
    monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
) -> None:
    monkeypatch.setattr(uvicorn_pacing, "FRAME_BURST", 100)
    monkeypatch.setattr(uvicorn_pacing, "FRAMES_PER_SECOND", 0.01)
    async with raw(server) as (reader, writer):
        writer.write(PING * 100_000)
        assert await is_served(server)
        pongs = await reader.read(1 << 20)
        assert 0 < len(pongs) <= 2 * FEW


async def test_what_waits_is_taken_when_the_rate_is_kept(
    monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
) -> None:
    monkeypatch.setattr(uvicorn_pacing, "FRAME_BURST", 1)
    monkeypatch.setattr(uvicorn_pacing, "FRAMES_PER_SECOND", 10_000)
    async with raw(server) as (reader, writer):
        writer.write(PING * 5_000 + b"\x81\x85\0\0\0\0after")
        assert (await reader.readexactly(2 * 5_000 + 7)).endswith(b"\x81\x05after")


async def test_nothing_is_read_while_pongs_are_not_read(
    monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
) -> None:
    monkeypatch.setattr(uvicorn_pacing, "FRAMES_PER_SECOND", 1e9)
    async with raw(server) as (reader, writer):
        sent = await sent_until_full(writer, LONG_PING * 1_000, server)
        assert unread(server) < 1 << 20
        pongs = await reader.readexactly(sent // len(LONG_PING) * 127)
        assert pongs[:2] == b"\x8a\x7d"


async def test_a_message_of_too_many_fragments_is_refused(
    monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
) -> None:
    monkeypatch.setattr(uvicorn_pacing, "FRAMES_PER_SECOND", 1e9)
    async with raw(server) as (reader, writer):
        writer.write(TEXT_BEGINS + MORE_TEXT * uvicorn_pacing.MAX_FRAGMENTS)
        close = await reader.read()
        assert (close[0], int.from_bytes(close[2:4])) == (0x88, 1009)


async def test_fragments_beyond_the_rate_wait(
    monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
) -> None:
    monkeypatch.setattr(uvicorn_pacing, "FRAME_BURST", 1)
    monkeypatch.setattr(uvicorn_pacing, "FRAMES_PER_SECOND", 10_000)
    async with raw(server) as (reader, writer):
        writer.write(TEXT_BEGINS + MORE_TEXT * 900 + b"\x80\x85\0\0\0\0whole")
        assert await reader.readexactly(7) == b"\x81\x05whole"


async def test_many_messages_at_once_arrive_in_order(server: uvicorn.Server) -> None:
    async with raw(server) as (reader, writer):
        messages = [b"%08d" % number for number in range(20_000)]
        writer.write(b"".join(b"\x81\x88\0\0\0\0" + message for message in messages))
        for message in messages:
            assert await reader.readexactly(10) == b"\x81\x08" + message


async def test_a_long_message_arrives_whole(server: uvicorn.Server) -> None:
    text = "".join(map(str, range(100_000)))
    async with asyncio.timeout(PATIENCE), connect(url(server), max_size=None) as client:
        await client.send(text)
        assert await client.recv() == text
