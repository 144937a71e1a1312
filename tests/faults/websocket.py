"""A WebSocket client without a task of its own, so that hundreds of them are light."""

import asyncio
import base64
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from tests.harness.server import GRAPHQL_PATH
from tests.harness.service_process import HOST
from tests.harness.websocket_client import SUBPROTOCOL

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
ABNORMAL = 1006

# A client that stops to read is felt by the server after some 100 KiB, rather than some MiB.
_RECEIVE_BUFFER = 8 * 1024
_SEGMENT = 1460

Receive = Callable[["Socket", dict[str, Any]], None]


class Socket(asyncio.Protocol):
    """One connection: hands each message to `receive`, and has a future of its close code."""

    def __init__(self, receive: Receive) -> None:
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._receive = receive
        self._buffer = bytearray()
        self._code = ABNORMAL
        self._is_open = False
        self._transport: asyncio.Transport

    def send(self, message: Any) -> None:
        """Send a message; nothing happens when the connection has ended."""
        self._frame(TEXT, orjson.dumps(message))

    def stall(self) -> None:
        """Stop to read."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def cut(self) -> None:
        """Break off: the server gets a TCP reset."""
        connection = self._transport.get_extra_info("socket")
        if not self._transport.is_closing():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(bytes(16)).decode()
        transport.write(
            f"GET {GRAPHQL_PATH} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(self._code)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open and not self._shake_hands():
            return
        for opcode, payload in self._frames():
            if opcode == TEXT:
                self._receive(self, orjson.loads(payload))
            elif opcode == PING:
                self._frame(PONG, payload)
            elif opcode == CLOSE:
                self._code = int.from_bytes(payload[:2])
                self._transport.close()

    def _shake_hands(self) -> bool:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        if not head.startswith(b"HTTP/1.1 101"):
            self._transport.abort()
            return False
        self._buffer = rest
        self._is_open = True
        self.send({"type": "connection_init"})
        return True

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """Take the whole frames out of the buffer; servers neither mask nor, here, fragment."""
        while len(self._buffer) >= 2:
            first, size = self._buffer[:2]
            start = {126: 4, 127: 10}.get(size, 2)
            if start > 2:
                if len(self._buffer) < start:
                    return
                size = int.from_bytes(self._buffer[2:start])
            if len(self._buffer) < start + size:
                return
            payload = bytes(self._buffer[start : start + size])
            del self._buffer[: start + size]
            yield first & 0x0F, payload

    def _frame(self, opcode: int, payload: bytes) -> None:
        if self._transport.is_closing():
            return
        if len(payload) < 126:
            size = bytes([0x80 | len(payload)])
        else:
            size = struct.pack(">BH", 0xFE, len(payload))
        self._transport.write(bytes([0x80 | opcode]) + size + bytes(4) + payload)


async def connect(port: int, receive: Receive) -> Socket:
    """Return a socket whose handshake and `connection_init` are on their way. Raises OSError."""
    connection = socket.socket()
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (HOST, port))
        _, made = await loop.create_connection(lambda: Socket(receive), sock=connection)
    except BaseException:
        connection.close()
        raise
    return made
