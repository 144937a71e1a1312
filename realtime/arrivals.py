"""What comes from thousands of clients at once, taken a few a round of the event loop."""

import asyncio
from collections.abc import Callable
from functools import partial

from realtime.rounds import Rounds


class InTurn(asyncio.Protocol):
    """A protocol before whose base those who speak at once stand in line.

    An event loop takes all that sockets have in one round, and serves nobody else
    meanwhile. Here it takes the first few; the others stand in line with what was read of
    them, once, and the rest of theirs waits in the operating system.
    """

    transport: asyncio.Transport

    def data_received(self, data: bytes) -> None:
        """Take what has come in its turn."""
        if _line.admit():
            super().data_received(data)
        else:
            self.transport.pause_reading()
            _line.join(partial(self._take, data), 0)

    def _take(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()
            super().data_received(data)

    def eof_received(self) -> bool:
        """Close in turn, behind what has come."""
        if self.transport.get_extra_info("sslcontext") is not None:
            return False  # TLS is closed at once, whatever this returns
        _line.join(self.transport.close, 0)
        return True


_line: Rounds[Callable[[], object]] = Rounds(lambda take: take())
