"""Subscribers that come back by their cursors, to whichever server, until they are ended."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.faults.ledger import Record
from tests.faults.websocket import Socket, connect

_PATIENCE = 10.0
"""Seconds for a server to take the handshake and acknowledge."""


@dataclass(slots=True, kw_only=True)
class Stream(Record):
    """One subscription over all its connections; the field's text has the alias `it`."""

    query: str
    resumes: bool = True
    cursor: str | None = None
    confirmed: bool = False

    def payload(self) -> dict[str, Any]:
        """Return what to subscribe with now."""
        extensions: dict[str, Any] = {"confirm": True}
        if self.resumes and self.cursor is not None:
            extensions["after"] = self.cursor
        return {"query": self.query, "extensions": extensions}

    def take(self, result: dict[str, Any]) -> None:
        """Write down a result."""
        extensions = result.get("extensions", {})
        self.cursor = extensions.get("cursor")
        if extensions.get("subscribed"):
            self.confirmed = True
        else:
            value = result["data"]["it"]
            text = value if isinstance(value, str) else value["text"]
            self.received.append(text.partition(" ")[0])


@dataclass(slots=True, kw_only=True)
class Subscriber:
    """One client with its streams on one connection, made again whenever it ends."""

    streams: Sequence[Stream]
    ports: Sequence[int]
    dice: Random
    met: Counter[str]
    """What ended connections and subscriptions, of all subscribers."""
    socket: Socket | None = None
    _waiting: set[asyncio.TimerHandle] = field(default_factory=set)

    @property
    def is_live(self) -> bool:
        """Tell whether each stream has been live once."""
        return all(stream.confirmed for stream in self.streams)

    async def run(self) -> None:
        """Listen until cancelled."""
        try:
            while True:
                try:
                    self.socket = await connect(self.dice.choice(self.ports), self._receive)
                except OSError:
                    self.met["refused connections"] += 1
                else:
                    code = await self._listen(self.socket)
                    self.met[f"closed {code}"] += 1
                await asyncio.sleep(self.dice.uniform(0.05, 0.5))
        finally:
            if self.socket is not None:
                self.socket.cut()

    async def _listen(self, socket: Socket) -> int:
        patience = asyncio.get_running_loop().call_later(_PATIENCE, self._lose_patience, socket)
        self._waiting.add(patience)
        try:
            return await socket.closed
        finally:
            for handle in self._waiting:
                handle.cancel()
            self._waiting.clear()

    def _lose_patience(self, socket: Socket) -> None:
        self.met["silent servers"] += 1
        socket.cut()

    def _receive(self, socket: Socket, message: dict[str, Any]) -> None:
        match message:
            case {"type": "next", "id": id, "payload": payload}:
                self._take(self.streams[int(id)], payload)
            case {"type": "ping"}:
                socket.send({"type": "pong"})
            case {"type": "connection_ack"}:
                for handle in self._waiting:
                    handle.cancel()
                for number in range(len(self.streams)):
                    self._subscribe(socket, number)
            case {"type": "error", "id": id, "payload": [error, *_]}:
                self.met[str(error.get("extensions", {}).get("code", error["message"]))] += 1
                self._subscribe_later(socket, int(id))
            case {"type": "complete", "id": id}:
                self.met["completed"] += 1
                self._subscribe_later(socket, int(id))

    def _take(self, stream: Stream, payload: dict[str, Any]) -> None:
        if "errors" in payload:
            self.met["results with errors"] += 1
        else:
            stream.take(payload)

    def _subscribe(self, socket: Socket, number: int) -> None:
        payload = self.streams[number].payload()
        socket.send({"type": "subscribe", "id": str(number), "payload": payload})

    def _subscribe_later(self, socket: Socket, number: int) -> None:
        pause = self.dice.uniform(0.1, 0.5)
        loop = asyncio.get_running_loop()
        self._waiting.add(loop.call_later(pause, self._subscribe, socket, number))
