"""One HTTP/1.1 connection that stays open, for events and for load."""

import socket
from time import monotonic

from benchmarks.poller import Poller
from benchmarks.wire import ServerError
from tests.harness.service_process import HOST

_END = b"\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"


class Trigger:
    """Sends one request at a time; the body of the answer is in `body` when it is there.

    A body in chunks is left as it came. Between requests a server may close the connection,
    which then is made anew; Daphne does so after a minute. Owned by who closes it.
    """

    def __init__(self, poller: Poller, port: int) -> None:
        self.body: bytes | None = None
        self._poller = poller
        self._port = port
        self._buffer = b""
        self._waiting = False
        self._open()

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def send(self, message: bytes) -> None:
        """Send a request that was made by `request`."""
        self.body, self._waiting = None, True
        self._socket.sendall(message)

    def feed(self, data: bytes) -> None:
        """Take what was read from the socket. Raises ServerError unless the status is 200."""
        if not data and self._waiting:
            raise ServerError("The server closed an HTTP connection instead of an answer.")
        if not data:
            self.close()
            self._open()
            return
        self._buffer += data
        head, end, rest = self._buffer.partition(_END)
        if not end:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.body, self._buffer, self._waiting = b"", b"", False  # nothing more to wait for
            raise ServerError((head + end + rest[:2_000]).decode(errors="replace"))
        size = _content_length(head)
        if rest.endswith(_LAST_CHUNK) if size is None else len(rest) >= size:
            self.body, self._buffer, self._waiting = rest, b"", False

    def wait(self, seconds: float = 60) -> bytes:
        """Poll until the answer is there, and return its body. Raises TimeoutError."""
        end = monotonic() + seconds
        while self.body is None:
            if not self._poller.poll(max(0.0, end - monotonic())) and monotonic() >= end:
                raise TimeoutError
        return self.body

    def close(self) -> None:
        """Close the connection."""
        self._poller.remove(self)
        self._socket.close()

    def _open(self) -> None:
        self._socket = socket.create_connection((HOST, self._port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poller.add(self)


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """Return an HTTP request, whose body is JSON."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: application/json\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def _content_length(head: bytes) -> int | None:
    """Return the length of the body; None when it comes in chunks."""
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return None
