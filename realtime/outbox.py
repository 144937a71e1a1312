"""What one WebSocket sends."""

import asyncio
from collections import Counter
from contextlib import suppress

from starlette.websockets import WebSocket

from realtime import eager, tasks
from realtime.conf import get_settings
from realtime.eager import Unfinished
from realtime.extensions import BACKLOG, WRITER, Backlog, Writer
from realtime.protocols.close_codes import Close, CloseCode

CLOSE_TIMEOUT = 1.0
"""Seconds that the close frame waits for a client that does not read."""

STALL_TIMEOUT = 60.0
"""Seconds for a client that has stopped to read to learn why it is closed, if it reads again."""

MUCH = 1024 * 1024
"""Bytes that are not kept for such a client: it is cut off, and learns nothing."""

MIN_RATE = 1024
"""Bytes a second that a client must take."""

closes: Counter[CloseCode] = Counter()
"""How often this process has closed a connection, by the code."""


class Outbox:
    """Sends frames to one client, and closes once."""

    def __init__(self, websocket: WebSocket) -> None:
        self._send = websocket._send  # Starlette's own `send` judges each message anew
        self._writer: Writer | None = websocket.scope.get("extensions", {}).get(WRITER)
        self._backlog: Backlog | None = websocket.scope.get("extensions", {}).get(BACKLOG)
        self._is_closed = False
        self._sending = 0
        self._progress = (0, 0)

    @property
    def is_stalled(self) -> bool:
        """Whether there are frames that the socket has not taken yet."""
        return self._sending > 0

    def post(self, text: str) -> bool:
        """Write a frame, if that is possible without awaiting; return whether it was."""
        return not self._is_closed and self._writer is not None and self._writer.write(text)

    async def send(self, text: str) -> None:
        """Send a frame; return when the socket has taken it, or will not."""
        if self._is_closed:
            return
        self._sending += 1
        try:
            if not self.post(text):
                await self._send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError):
            return  # the peer is going; `receive` will say so. Servers raise RuntimeErrors, too.
        finally:
            self._sending -= 1

    async def taken(self) -> None:
        """Return when the client has taken most of what was sent, as far as the server tells."""
        if self._backlog is None or self._is_closed:
            return
        self._sending += 1
        try:
            await self._backlog.drained()
        finally:
            self._sending -= 1

    def is_read(self) -> bool:
        """Tell whether the client has taken a good part of what waits since this was last asked.

        A large frame may take a slow client longer than a ping.
        """
        if self._backlog is None:
            return False
        (before, waited), self._progress = self._progress, self._backlog.progress()
        resumed, waits = self._progress
        return resumed != before or waited - waits >= MIN_RATE * get_settings().pong_timeout

    async def close(self, close: Close) -> None:
        """Close, if that was not done before."""
        if self._is_closed:
            return
        self._is_closed = True
        closes[close.code] += 1
        message = {"type": "websocket.close", "code": int(close.code), "reason": close.reason}
        holds_much = self._backlog is not None and self._backlog.progress()[1] > MUCH
        waits = close.code is CloseCode.SLOW_CONSUMER and not holds_much
        with suppress(OSError, RuntimeError):
            timeout = STALL_TIMEOUT if waits else CLOSE_TIMEOUT
            if not await tasks.in_time(self._send(message), timeout) and self._backlog is not None:
                self._backlog.abort()

    def outlet(self, before: str, after: str) -> "Outlet":
        """Return where the results of the running task's operation go, in their envelope."""
        task = asyncio.current_task()
        assert task is not None
        return Outlet(self, self._writer, task, before, after)


class Outlet:
    """Sends the results of one operation while its task waits for the next."""

    __slots__ = ("_after", "_before", "_outbox", "_task", "writer")

    def __init__(
        self,
        outbox: Outbox,
        writer: Writer | None,
        task: asyncio.Task[None],
        before: str,
        after: str,
    ) -> None:
        self._outbox = outbox
        self.writer = writer and writer.around(before, after)
        self._task = task
        self._before = before
        self._after = after

    def send(self, result: str) -> Unfinished | None:
        """Send a result at once; return what the task is to await, if the socket must wait."""
        if self.writer is not None and self.writer.write(result):
            return None
        return eager.begin(self._outbox.send(self._before + result + self._after), self._task)
