"""Reads WebSockets of Uvicorn no faster than they may ask, are read themselves, and are served."""

import asyncio
from typing import Any

SLICE = 4096
"""Bytes that are parsed in one go: as many as some 700 empty frames, or 10 ms."""

FRAMES_PER_SECOND = 10
FRAME_BURST = 200
"""Pings, pongs and continuation frames of one connection: so many a second, and after a rest.

The application never sees them, and so cannot count them. A browser sends one now and then; a
message of 64 KiB in fragments of 1 KiB has 64.
"""

MAX_FRAGMENTS = 1024
"""Frames that one message may have."""

MESSAGE_TOO_BIG = 1009
"""RFC 6455, section 7.4.1."""


class Paced(asyncio.Protocol):
    """Goes before Uvicorn's WebSocket, and keeps what must wait; meanwhile it reads nothing.

    Data wait while too many control frames have come, while the client does not read what is
    sent to it, and while the application has a message that it has not taken. What waits is no
    more than what the transport had read already.
    """

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    conn: Any
    frames: list[bytes]
    read_paused: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting = b""
        self._settled_at = 0.0
        """When the frames that were counted would have come, one by one."""
        self._timer: asyncio.TimerHandle | None = None
        self._is_unread = False

    def data_received(self, data: bytes) -> None:
        """Take what has come, or keep it."""
        if self._waiting or self._must_wait():
            self._waiting += data
            self.transport.pause_reading()
        elif len(data) <= SLICE:
            super().data_received(data)
            self._check_rate()
        else:
            self._take_slices(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what waits."""
        self._waiting = b""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Read nothing while the client does not read."""
        super().pause_writing()
        self._is_unread = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading."""
        super().resume_writing()
        self._is_unread = False
        self._go_on()

    async def receive(self) -> Any:
        """Return the next message for the application."""
        message = await super().receive()  # type: ignore[misc]  # Uvicorn's, and so the others
        if self._waiting:
            self._go_on()
        return message

    def handle_ping(self) -> None:
        """Answer a ping."""
        self._count_frame()
        super().handle_ping()  # type: ignore[misc]

    def handle_pong(self, event: Any) -> None:
        """Take a pong."""
        self._count_frame()
        super().handle_pong(event)  # type: ignore[misc]

    def handle_cont(self, event: Any) -> None:
        """Take one more fragment of a message."""
        self._count_frame()
        super().handle_cont(event)  # type: ignore[misc]
        if len(self.frames) > MAX_FRAGMENTS and not self.transport.is_closing():
            self.frames.clear()
            self.conn.fail(MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()  # type: ignore[attr-defined]

    def _count_frame(self) -> None:
        self._settled_at = max(self.loop.time(), self._settled_at) + 1 / FRAMES_PER_SECOND

    def _check_rate(self) -> None:
        """Have what comes wait if too many frames came."""
        early = self._settled_at - self.loop.time() - FRAME_BURST / FRAMES_PER_SECOND
        if early > 0 and self._timer is None and not self.transport.is_closing():
            self.transport.pause_reading()
            self._timer = self.loop.call_later(early, self._rate_is_kept)

    def _rate_is_kept(self) -> None:
        self._timer = None
        self._go_on()

    def _must_wait(self) -> bool:
        return self._timer is not None or self._is_unread

    def _go_on(self) -> None:
        if self._must_wait() or self.read_paused or self.transport.is_closing():
            return
        data, self._waiting = self._waiting, b""
        self._take_slices(data)
        if not (self._waiting or self._must_wait() or self.read_paused):
            self.transport.resume_reading()

    def _take_slices(self, data: bytes) -> None:
        """Take data a slice at a time, as long as nothing has to wait."""
        for start in range(0, len(data), SLICE):
            if self.transport.is_closing():
                return
            if self._must_wait() or (start and self.read_paused):
                self._waiting = data[start:] + self._waiting
                self.transport.pause_reading()
                return
            super().data_received(data[start : start + SLICE])
            self._check_rate()
