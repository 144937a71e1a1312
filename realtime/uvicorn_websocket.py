"""Uvicorn's WebSocket, with a way to write frames without awaiting.

A frame through ASGI costs a dictionary, a coroutine and objects of the library that frames
it, which together take longer than the system call. `manage.py serve` uses this; elsewhere
`--ws realtime.uvicorn_websocket:WebSocket` does.
"""

import asyncio
from asyncio import BaseTransport, WriteTransport
from struct import Struct
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from realtime.arrivals import InTurn
from realtime.extensions import BACKLOG, WRITER
from realtime.rounds import Rounds
from realtime.uvicorn_pacing import Paced

# RFC 6455, section 5.2: a whole message of text in one frame, which a server does not mask.
_FINAL_TEXT = 0x81
_SHORT, _MEDIUM, _LONG = Struct("!BB").pack, Struct("!BBH").pack, Struct("!BBQ").pack


class _Wire:
    """One WebSocket's transport, and whether it takes frames; a `Backlog`."""

    __slots__ = ("is_closed", "is_open", "resumed", "transport", "writable")

    def __init__(self, transport: WriteTransport, writable: asyncio.Event) -> None:
        self.transport = transport
        self.writable = writable
        self.resumed = 0
        self.is_open = True
        self.is_closed = False

    async def drained(self) -> None:
        """Return when the client has taken most of what was written, or is gone."""
        await self.writable.wait()

    def progress(self) -> tuple[int, int]:
        """Return how often the client has taken what was too much, and the bytes that wait now."""
        return self.resumed, self.transport.get_write_buffer_size()

    def abort(self) -> None:
        """Close at once, without what waits."""
        self.transport.abort()


class Writer:
    """Writes text frames to one WebSocket."""

    # Thousands are used in a row: the less memory each touches, the faster it is.
    __slots__ = ("_after", "_before", "_wire")

    def __init__(self, wire: _Wire, before: str = "", after: str = "") -> None:
        self._wire = wire
        self._before = before
        self._after = after

    def around(self, before: str, after: str) -> "Writer":
        """Return one that puts each text between these."""
        return Writer(self._wire, before, after)

    def write(self, text: str) -> bool:
        """Write a frame, unless the client has too much to read; return whether it was written."""
        wire = self._wire
        transport = wire.transport
        if not wire.is_open or transport.is_closing():
            return False
        payload = f"{self._before}{text}{self._after}".encode()
        size = len(payload)
        if size < 126:
            header = _SHORT(_FINAL_TEXT, size)
        elif size < 1 << 16:
            header = _MEDIUM(_FINAL_TEXT, 126, size)
        else:
            header = _LONG(_FINAL_TEXT, 127, size)
        transport.write(header + payload)
        return True


class _Inbox:
    """What came from a client, as an asyncio.Queue of which each connection would take 3 KiB."""

    __slots__ = ("_messages", "_readers")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._readers: list[asyncio.Future[None]] = []

    def put_nowait(self, message: Any) -> None:
        """Add a message."""
        self._messages.append(message)
        self._wake()

    def empty(self) -> bool:
        """Tell whether there is none."""
        return not self._messages

    async def get(self) -> Any:
        """Return the next message, when there is one."""
        while not self._messages:
            reader = asyncio.get_running_loop().create_future()
            self._readers.append(reader)
            try:
                await reader
            except asyncio.CancelledError:
                if reader in self._readers:
                    self._readers.remove(reader)
                else:
                    self._wake()  # the next instead
                raise
        return self._messages.pop(0)

    def _wake(self) -> None:
        while self._readers:
            if not (reader := self._readers.pop(0)).done():
                reader.set_result(None)
                return


class WebSocket(InTurn, Paced, WebSocketsSansIOProtocol):  # type: ignore[misc]  # of `eof_received`
    """One connection, with a `Writer` among the extensions of its scope."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue: Any = _Inbox()

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self._wire = _Wire(self.transport, self.writable)
        http = self.transport.get_protocol()
        if hasattr(http, "parser"):  # which is done, and holds what holds it; so Uvicorn elsewhere
            http.parser = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End, when those that were lost before have: thousands may go at once."""
        self._lost_by = exc
        _lost.join(self, 0)

    def _end(self) -> None:
        super().connection_lost(self._lost_by)
        self.conn.parser.close()  # a generator, which holds what holds it

    def handle_connect(self, event: Request) -> None:
        """Take the handshake. The application starts in a later round of the event loop."""
        super().handle_connect(event)
        scope: dict[str, Any] | None = getattr(self, "scope", None)
        if scope is not None:  # else it was refused
            scope["extensions"].update({WRITER: Writer(self._wire), BACKLOG: self._wire})

    async def send(self, message: Any) -> None:
        """Send a message of the application."""
        if message["type"] == "websocket.close":
            # RFC 6455, section 5.5.1: no more data.
            self._wire.is_closed, self._wire.is_open = True, False
        await super().send(message)
        if message["type"] == "websocket.accept":
            # They are done with, and have all headers once more.
            self.request: Any = None
            self.response: Any = None

    def pause_writing(self) -> None:
        """Have writers wait: too much lies in the transport's buffer."""
        super().pause_writing()
        self._wire.is_open = False

    def resume_writing(self) -> None:
        """Let writers go on."""
        super().resume_writing()
        self._wire.resumed += 1
        self._wire.is_open = not self._wire.is_closed


_lost = Rounds(WebSocket._end, pause=0.002)
