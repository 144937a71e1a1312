"""What comes from thousands of clients at once, taken a few a round of the event loop."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

from realtime.rounds import Rounds


class InTurn(asyncio.Protocol):
    """A protocol of Uvicorn's before which those who speak at once stand in line.

    An event loop takes all that sockets have in one round, and serves nobody else
    meanwhile. Here it takes the first few; the others stand in line with what was read of
    them, once, and the rest of theirs waits in the operating system.
    """

    transport: asyncio.Transport

    def data_received(self, data: bytes) -> None:
        """Take what has come in its turn."""
        if _line.admit() or self._is_tls():  # which reads on, and closes, while this pauses
            super().data_received(data)
        else:
            self.transport.pause_reading()
            self._stand_in_line(self._take, data)

    def eof_received(self) -> bool:
        """Close in its turn, which takes longer than to hear of all who go."""
        if self._is_tls():
            return False  # it is closed at once, whatever this returns
        # Little is made here: the collector would look at it while thousands go.
        _line.join(self.transport.close, 0)
        return True

    def shutdown(self) -> None:
        """End with the server, behind what has come."""
        self._stand_in_line(self._shut_down)

    def _is_tls(self) -> bool:
        return self.transport.get_extra_info("sslcontext") is not None

    def _stand_in_line(self, visit: Callable[..., None], *args: Any) -> None:
        _line.join(partial(copy_context().run, visit, *args), 0)

    def _take(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.resume_reading()
        try:
            super().data_received(data)
        except BaseException:
            self.transport.abort()  # as transports do whose protocol fails
            raise

    def _shut_down(self) -> None:
        if not self.transport.is_closing():  # or it is about to end anyway
            super().shutdown()  # type: ignore[misc]  # Uvicorn's


_line: Rounds[Callable[[], None]] = Rounds(lambda visit: visit())
