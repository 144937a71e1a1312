"""An audience: subscribers so light that a thousand of them cost less than what they measure."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from tests.faults.websocket import PING, PONG, TEXT, Socket
from tests.harness.service_process import HOST

SHORT = 1024
"""Bytes: messages of the protocol are shorter, results are not."""


class Listener(Socket):
    """A subscriber that notes when each result has come, and keeps nothing of it."""

    def __init__(self, query: str) -> None:
        super().__init__(self._begin)
        self.live: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.arrivals: list[float] = []
        """Times of the wall clock, in seconds, of all results since it was live."""
        self._query = query
        self._head = b""
        self._due = 0

    def _begin(self, _: Socket, message: dict[str, Any]) -> None:
        match message["type"]:
            case "connection_ack":
                payload = {"query": self._query, "extensions": {"confirm": True}}
                self.send({"type": "subscribe", "id": "1", "payload": payload})
            case "next":
                self.live.set_result(None)
            case other:
                raise AssertionError(other)

    def data_received(self, data: bytes) -> None:
        if not self.live.done():
            super().data_received(data)
            return
        if self._due > len(data):
            self._due -= len(data)
            return
        start, self._due = self._due, 0
        if start:
            self.arrivals.append(time.time())
        data, self._head = self._head + data, b""
        while start < len(data):
            begin, end = _payload(data, start)
            is_short = end - begin < SHORT
            if end > len(data) and (begin > len(data) or is_short):
                self._head = data[start:]
                return
            if is_short:
                self._take(data[start] & 0x0F, data[begin:end])
            elif end <= len(data):
                self.arrivals.append(time.time())
            else:
                self._due = end - len(data)
            start = end

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:  # the server's own
            self._frame(PONG, payload)
        else:
            assert opcode == TEXT, payload
            assert orjson.loads(payload) == {"type": "ping"}
            self.send({"type": "pong"})


def _payload(data: bytes, start: int) -> tuple[int, int]:
    """Return where the payload of a frame begins and ends: behind the data, if one cannot tell."""
    head = data[start : start + 4]
    if len(head) < 2 or (head[1] == 126 and len(head) < 4):
        return len(data) + 1, len(data) + 1
    assert head[1] < 127, "no frame is as long as 64 KiB"
    if head[1] < 126:
        return start + 2, start + 2 + head[1]
    [size] = struct.unpack_from(">H", head, 2)
    return start + 4, start + 4 + size


@asynccontextmanager
async def audience(port: int, query: str, size: int) -> AsyncIterator[list[Listener]]:
    """Have so many listeners, who all are live."""
    loop = asyncio.get_running_loop()
    listeners: list[Listener] = []
    try:
        for _ in range(size):
            _, listener = await loop.create_connection(lambda: Listener(query), HOST, port)
            listeners.append(listener)
            if len(listeners) % 50 == 0:  # what the server has not accepted yet has to wait
                await asyncio.gather(*(each.live for each in listeners))
        await asyncio.gather(*(each.live for each in listeners))
        yield listeners
    finally:
        for listener in listeners:
            listener.cut()
        await asyncio.gather(*(listener.closed for listener in listeners))
