"""Clients that go away: raw sockets, so that they can do it in any manner."""

import asyncio
import base64
import json
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

HOST = "127.0.0.1"
MASK = bytes(4)
TEXT, BINARY, CLOSE = 1, 2, 8


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP connection to a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, message: Any, *, opcode: int = TEXT) -> None:
        """Send a WebSocket frame of a message, or of bytes as they are."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        if len(data) < 126:
            size = bytes([0x80 | len(data)])
        elif len(data) < 1 << 16:
            size = struct.pack(">BH", 0xFE, len(data))
        else:
            size = struct.pack(">BQ", 0xFF, len(data))
        self.writer.write(bytes([0x80 | opcode]) + size + MASK + data)

    async def until(self, mark: bytes) -> bytes:
        """Return what comes, up to a mark."""
        async with asyncio.timeout(10):
            return await self.reader.readuntil(mark)

    async def closed(self) -> int:
        """Return the code with which the server closes, whatever comes before."""
        async with asyncio.timeout(10):
            while True:
                opcode, length = await self.reader.readexactly(2)
                if length == 126:
                    [length] = struct.unpack(">H", await self.reader.readexactly(2))
                payload = await self.reader.readexactly(length)
                if opcode & 0x0F == CLOSE:
                    return int.from_bytes(payload[:2])

    async def free(self) -> None:
        """Give back the socket, however it was left."""
        self.writer.transport.abort()
        with suppress(OSError):
            await self.writer.wait_closed()

    def close(self) -> None:
        """Say goodbye: a close frame over WebSocket, the end of TCP for all."""
        self.send(struct.pack(">H", 1000), opcode=CLOSE)
        self.writer.close()

    def hang_up(self) -> None:
        """End TCP."""
        self.writer.close()

    def reset(self) -> None:
        """Break off: the server gets a TCP reset."""
        lingering = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, lingering
        )
        self.writer.transport.abort()


async def websocket(port: int, path: str, subprotocol: str) -> Connection:
    """Return a WebSocket whose handshake is done."""
    connection = Connection(*await asyncio.open_connection(HOST, port))
    key = base64.b64encode(bytes(16)).decode()
    connection.writer.write(
        f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n".encode()
    )
    await connection.until(b"\r\n\r\n")
    return connection


async def http(
    port: int, method: str, path: str, *, accept: str, token: str = "", body: Any = None
) -> Connection:
    """Return a connection that has sent a request."""
    connection = Connection(*await asyncio.open_connection(HOST, port))
    request(connection, method, path, accept=accept, token=token, body=body)
    return connection


def request(
    connection: Connection,
    method: str,
    path: str,
    *,
    accept: str,
    token: str = "",
    body: Any = None,
) -> None:
    """Send a request, over a connection that may have been used."""
    data = b"" if body is None else json.dumps(body).encode()
    connection.writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: {accept}\r\n"
        f"X-GraphQL-Event-Stream-Token: {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data
    )
