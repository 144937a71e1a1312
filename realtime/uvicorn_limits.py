"""Limits on what a client may send, how slowly, and over how many connections, for Uvicorn.

They hold before the application sees anything.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Hashable
from http import HTTPStatus
from typing import Any

from websockets.http11 import MAX_LINE_LENGTH, MAX_NUM_HEADERS

from realtime.conf import get_settings
from realtime.rates import network_of
from realtime.rounds import Rounds

MAX_HEAD = 64 * 1024
"""Bytes of a request line and its headers: a document of 15 KiB may be percent-encoded in a GET."""

MAX_HEADERS = 100

HEAD_TIMEOUT = 10.0
"""Seconds from a connection, or the first byte of a request, to the end of its headers."""

BODY_PERIOD = 10.0
MIN_BODY_RATE = 1024
"""Bytes a second that a body must bring, measured over each period of so many seconds."""

MIN_READING_RATE = 1024
"""Bytes a second that must be read of an answer, measured over PONG_TIMEOUT."""

MAX_NOT_SENT = 64 * 1024
NOT_SENT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
"""An option of TCP, on Linux and macOS."""

TCP = socket.AF_INET, socket.AF_INET6

FRAMING = 8
"""Bytes that may be spent on the framing of chunks for each byte of a body."""

CONNECTIONS_FACTOR = 10
"""HTTP connections of one address, as a multiple of MAX_CONNECTIONS_PER_ADDRESS."""

LINGER = 1.0
"""Seconds for which what a refused client still sends is read: closing at once resets the
connection, and the client would not see the answer."""


class _TooLargeError(Exception):
    """The head of a request is too large. Raised through the parser, which stops by it."""


class Bounded(asyncio.Protocol):
    """Goes before Uvicorn's protocol for httptools, whose callbacks it counts."""

    transport: asyncio.Transport
    client: tuple[str, int] | None
    headers: list[tuple[bytes, bytes]]
    url: bytes
    config: Any
    flow: Any
    cycle: Any
    _fed: int
    """Bytes of this request so far, whatever they are."""
    _body: int
    """Bytes of its body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request, unless its address has too many connections."""
        super().connection_made(transport)
        self._begin_counting()
        self._is_open = self._refused = False
        _keep_little(transport)
        self._address = self._limited_address()
        limit = CONNECTIONS_FACTOR * get_settings().max_connections_per_address
        if self._address is not None and _connections[self._address] >= limit:
            self._address = None
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            _heads.join(self, HEAD_TIMEOUT)
        _connections[self._address] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless there is too much of it that is no body."""
        self._fed += len(data)
        if self._refused:
            if self._fed > MAX_HEAD:
                self.transport.abort()
            return
        self._first = 0 if self._is_open else len(data)
        super().data_received(data)
        # Also a header without an end, and the trailers and extensions of chunks.
        overhead = self._fed - FRAMING * self._body
        if self._is_open and overhead > MAX_HEAD and not self._refused:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def pause_writing(self) -> None:
        """Begin to wait for a client that has much to read."""
        super().pause_writing()
        self._unread = self.transport.get_write_buffer_size()
        _unread.join(self, get_settings().pong_timeout)

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        _unread.leave(self)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that idles, at once if its client has not read the answer."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()  # type: ignore[misc]

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._begin_counting()
        # Of several requests that were read at once it is not known where each begins.
        self._fed, self._first = self._first, 0
        self._is_open = True
        _heads.join(self, HEAD_TIMEOUT)
        super().on_message_begin()  # type: ignore[misc]  # Uvicorn's, and so the others

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._count(len(url))
        super().on_url(url)  # type: ignore[misc]

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        self._lines += 1
        self._count(len(name) + len(value))
        super().on_header(name, value)  # type: ignore[misc]

    def on_headers_complete(self) -> None:
        """Take the end of the headers: the application starts."""
        _heads.leave(self)
        self._seen = 0
        _bodies.join(self, BODY_PERIOD)
        super().on_headers_complete()  # type: ignore[misc]

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body += len(body)
        super().on_body(body)  # type: ignore[misc]

    def on_message_complete(self) -> None:
        """Take the end of the request."""
        self._is_open = False
        _bodies.leave(self)
        super().on_message_complete()  # type: ignore[misc]

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refuses, which may be because of the limits."""
        if self._lines > MAX_HEADERS or self._head > MAX_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            super().send_400_response(msg)  # type: ignore[misc]

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, unless the WebSocket's own parser would not take the head."""
        lines = [len(name) + len(value) + 4 for name, value in self.headers]
        longest = max([len(self.url) + len(b"GET  HTTP/1.1\r\n"), *lines])
        if longest > MAX_LINE_LENGTH or len(lines) > MAX_NUM_HEADERS:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            self._leave()
            super().handle_websocket_upgrade()  # type: ignore[misc]

    def _begin_counting(self) -> None:
        self._fed = self._head = self._lines = self._body = self._seen = 0

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD or self._lines > MAX_HEADERS:
            raise _TooLargeError

    def _limited_address(self) -> Hashable:
        """Return the address whose connections are limited; None for a proxy, which has many."""
        if self.client is None:
            return None
        believed = str(self.config.forwarded_allow_ips or "").split(",")
        is_proxy = self.config.proxy_headers and {self.client[0], "*"} & {*map(str.strip, believed)}
        return None if is_proxy else network_of(self.client[0])

    def _leave(self) -> None:
        for timers in (_heads, _bodies, _refused, _unread):
            timers.leave(self)
        _connections[self._address] -= 1
        if not _connections[self._address]:
            del _connections[self._address]

    def _head_is_due(self) -> None:
        if self._fed:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.abort()  # it has asked nothing

    def _body_is_due(self) -> None:
        brought, self._seen = self._body - self._seen, self._body
        if self.flow.read_paused or brought >= MIN_BODY_RATE * BODY_PERIOD:
            _bodies.join(self, BODY_PERIOD)
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _reading_is_due(self) -> None:
        before, self._unread = self._unread, self.transport.get_write_buffer_size()
        if before - self._unread >= MIN_READING_RATE * (timeout := get_settings().pong_timeout):
            _unread.join(self, timeout)
        else:
            self.transport.abort()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer if nothing was answered yet; close when the client has had time to read it."""
        _heads.leave(self)
        _bodies.leave(self)
        self._refused = True
        self._fed = 0
        cycle = self.cycle
        if self.transport.is_closing():
            return
        if cycle is not None and not cycle.response_complete and cycle.response_started:
            self.transport.abort()
            return
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        body = status.phrase.encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        _refused.join(self, LINGER)


def _keep_little(transport: asyncio.BaseTransport) -> None:
    """Have the kernel keep little that is not sent.

    It would keep megabytes, and take more only when a third of them was sent: a slow client
    could not be told from one that does not read.
    """
    connection: Any = transport.get_extra_info("socket")
    if NOT_SENT is not None and connection is not None and connection.family in TCP:
        connection.setsockopt(socket.IPPROTO_TCP, NOT_SENT, MAX_NOT_SENT)


_connections: Counter[Hashable] = Counter()
_heads: Rounds[Bounded] = Rounds(Bounded._head_is_due)
_bodies: Rounds[Bounded] = Rounds(Bounded._body_is_due)
_unread: Rounds[Bounded] = Rounds(Bounded._reading_is_due)
_refused: Rounds[Bounded] = Rounds(lambda protocol: protocol.transport.abort())
