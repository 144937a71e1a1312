"""Close codes of the GraphQL WebSocket protocols, with the reasons that go with them."""

from enum import IntEnum
from typing import NamedTuple


class CloseCode(IntEnum):
    """Why the server ends a connection.

    Hand `int(code)` to a server: Autobahn, below Daphne, refuses subclasses of int.
    """

    NORMAL = 1000
    PEER_SILENT = 4006
    """Our own, after 1006, which no server may send: clients connect again."""
    SLOW_CONSUMER = 4008
    """Our own, after 1008: clients connect again, and resume."""
    RESTARTING = 4012
    """Our own, after 1012, which Autobahn refuses to send: clients connect again."""
    TRY_AGAIN_LATER = 4013
    """Our own, after 1013, which Autobahn refuses to send: clients connect again, and resume."""
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INIT_TIMEOUT = 4408
    SUBSCRIBER_ALREADY_EXISTS = 4409
    TOO_MANY_INIT_REQUESTS = 4429
    INTERNAL_ERROR = 4500


MAX_REASON = 123
"""Bytes of UTF-8 that a close frame has for its reason (RFC 6455, section 5.5)."""


class Close(NamedTuple):
    """End the connection. Nothing is sent or received after it."""

    code: CloseCode
    reason: str

    @classmethod
    def because(cls, code: CloseCode, reason: str) -> "Close":
        """Return a close whose reason is cut to what a close frame holds."""
        return cls(code, reason.encode(errors="replace")[:MAX_REASON].decode(errors="ignore"))
