"""All sockets of a run on one epoll: reading a delivery costs the client 2–3 µs."""

import os
import select
from time import monotonic, monotonic_ns
from typing import Protocol

_READ = 65_536
_MOST = 1_024
"""Sockets taken from one poll."""


class Reader(Protocol):
    """What reads from a socket."""

    def fileno(self) -> int:
        """Return the socket's descriptor."""

    def feed(self, data: bytes) -> None:
        """Take what was read; nothing: the other side has closed."""


class Poller:
    """Reads for all readers. Used by one thread; `close` it."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Reader] = {}

    def add(self, reader: Reader) -> None:
        """Read for this reader from now on."""
        self._readers[reader.fileno()] = reader
        self._epoll.register(reader.fileno(), select.EPOLLIN)

    def remove(self, reader: Reader) -> None:
        """Read no more for this reader, which is still open."""
        del self._readers[reader.fileno()]
        self._epoll.unregister(reader.fileno())

    def poll(self, seconds: float = 0) -> bool:
        """Read once what is there, waiting so long for the first; tell whether there was any."""
        ready = self._epoll.poll(seconds, _MOST)
        for fd, _ in ready:
            self._readers[fd].feed(os.read(fd, _READ))
        return bool(ready)

    def idle(self, seconds: float) -> None:
        """Read whatever comes for so long."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            self.poll(left)

    def gather(self, pending: set[int], marker: bytes, seconds: float) -> int:
        """Wait until each pending descriptor has had the marker; return when, in nanoseconds.

        They are taken from the set. What else comes goes to the readers, which take from
        the set what came in parts or together. Raises TimeoutError.
        """
        end = monotonic() + seconds
        poll, read, readers = self._epoll.poll, os.read, self._readers
        while pending:
            # Never asleep: else each write of the server would pay for waking the client.
            ready = poll(0, _MOST)
            if not ready and monotonic() >= end:
                raise TimeoutError
            for fd, _ in ready:
                data = read(fd, _READ)
                # The usual case, without a call: exactly one frame, and the one waited for.
                if (
                    marker in data
                    and fd in pending
                    and len(data)
                    == (data[1] + 2 if data[1] < 126 else (data[2] << 8 | data[3]) + 4)
                ):
                    pending.remove(fd)
                else:
                    readers[fd].feed(data)
        return monotonic_ns()

    def close(self) -> None:
        """Free the epoll; the sockets are their owners'."""
        self._epoll.close()
