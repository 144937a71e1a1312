"""A WebSocket client's frames, as little as it takes to count what arrives."""

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from tests.harness.service_process import HOST

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
_FINAL = 0x80
_SECONDS = 60
"""How long a server may take to answer one step of an opening; the slowest peers queue them."""


class ServerError(Exception):
    """A server closed a connection or sent what it should not; the message says what."""

    port: int | None = None
    """Which server, where that is known."""


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return a client's frame; the mask is zero, so that the payload stays as it is."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", _FINAL | opcode, 0x80 | size)
    else:
        head = struct.pack("!BBH", _FINAL | opcode, 0x80 | 126, size)
    return head + bytes(4) + payload


def split(buffer: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the whole frames of a server, as opcodes and payloads, and what is left."""
    frames, at = [], 0
    while len(buffer) - at >= 2:
        size, start = buffer[at + 1], at + 2
        if size == 126:
            size, start = int.from_bytes(buffer[at + 2 : at + 4]), at + 4
        elif size == 127:
            size, start = int.from_bytes(buffer[at + 2 : at + 10]), at + 10
        if start > len(buffer) or start + size > len(buffer):
            break
        frames.append((buffer[at] & 0x0F, buffer[start : start + size]))
        at = start + size
    return frames, buffer[at:]


class Client:
    """One WebSocket that speaks graphql-transport-ws; what comes goes to `receive`.

    Blocking until it has subscribed; then it is fed by whoever polls it.
    """

    __slots__ = ("_buffer", "_socket", "index", "port", "receive")

    def __init__(self, port: int, index: int, receive: Callable[["Client", bytes], None]) -> None:
        self.port = port
        self.index = index
        self.receive = receive
        self._buffer = b""
        self._socket = socket.create_connection((HOST, port), timeout=_SECONDS)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def upgrade(self, path: str) -> None:
        """Ask for a WebSocket."""
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def initialise(self) -> None:
        """Wait for the answer, and send `connection_init`."""
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self._read()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise ServerError(head.decode(errors="replace"))
        self.send({"type": "connection_init"})

    def subscribe(self, payload: dict[str, Any]) -> None:
        """Wait for the acknowledgement, subscribe, and block no more."""
        while not self._acknowledged():
            self._buffer += self._read()
        self.send({"type": "subscribe", "id": "1", "payload": payload})
        self._socket.setblocking(False)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        self._socket.sendall(frame(json.dumps(message).encode()))

    def feed(self, data: bytes) -> None:
        """Take what was read from the socket."""
        try:
            if not data:
                raise ServerError(f"The server cut off client {self.index}.")
            frames, self._buffer = split(self._buffer + data)
            for opcode, payload in frames:
                self._take(opcode, payload)
        except ServerError as error:
            error.port = self.port
            raise

    def close(self) -> None:
        """Go away without a goodbye."""
        self._socket.close()

    def _acknowledged(self) -> bool:
        frames, rest = split(self._buffer)
        for number, (opcode, payload) in enumerate(frames):
            self._buffer = rest
            if opcode == TEXT and b"connection_ack" in payload:
                for later in frames[number + 1 :]:
                    self._take(*later)
                return True
            self._take(opcode, payload)
        return False

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            if payload.startswith(b'{"type') and b'"ping"' in payload[:24]:
                self.send({"type": "pong"})
            else:
                self.receive(self, payload)
        elif opcode == PING:
            self._socket.sendall(frame(payload, PONG))
        elif opcode == CLOSE:
            code, reason = int.from_bytes(payload[:2]), payload[2:].decode(errors="replace")
            raise ServerError(f"The server closed client {self.index}: {code} {reason}")

    def _read(self) -> bytes:
        data = self._socket.recv(65_536)
        if not data:
            raise ServerError(f"The server cut off client {self.index}.")
        return data
