"""The server's side of the `graphql-transport-ws` subprotocol, without I/O.

Text goes in, events and frames come out. Whatever a peer sends yields frames or a
Close, never an exception. Time comes in as an event, `init_timed_out()`.

Source: PROTOCOL.md of the graphql-ws library.
"""

import json
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

from realtime.protocols.close_codes import Close, CloseCode
from realtime.protocols.events import Complete, ConnectionInit, Event, Frame, Subscribe

SUBPROTOCOL = "graphql-transport-ws"


class State(Enum):
    """Where the connection is."""

    OPENED = auto()
    INITIALISING = auto()
    """`connection_init` is being judged, which may take its time."""
    ACKNOWLEDGED = auto()
    CLOSED = auto()


class GraphQLTransportWS:
    """One connection."""

    def __init__(self) -> None:
        self.state = State.OPENED
        self._ids: set[str] = set()

    def receive(self, data: str | bytes) -> list[Event]:
        """Take one message of the peer."""
        if self.state is State.CLOSED:
            return []
        if isinstance(data, bytes):
            return [self._close(CloseCode.BAD_REQUEST, "Messages are text, not binary")]
        try:
            message = json.loads(data, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return [self._close(CloseCode.BAD_REQUEST, "Message is not valid JSON")]
        if not isinstance(message, dict):
            return [self._close(CloseCode.BAD_REQUEST, "Message is not a JSON object")]
        kind = message.get("type")
        handle = _TRANSITIONS[self.state].get(kind) if isinstance(kind, str) else None
        if handle is None:
            return [self._close(CloseCode.BAD_REQUEST, f"Invalid message type {kind!r:.60}")]
        if not isinstance(message.get("payload"), dict | None):
            return [self._bad(message, "payload", "an object or null")]
        try:
            return handle(self, message)
        except RecursionError:  # an echo that is nested as deep as the parser just bore
            return [self._close(CloseCode.BAD_REQUEST, "Message is nested too deeply")]

    def accept(self, payload: Mapping[str, Any] | None = None) -> list[Event]:
        """Let the client in."""
        if self.state is not State.INITIALISING:
            return []
        self.state = State.ACKNOWLEDGED
        return [_frame("connection_ack", payload=payload)]

    def refuse(self, reason: str = "Forbidden") -> list[Event]:
        """Do not let the client in; it may try again with other credentials."""
        if self.state is not State.INITIALISING:
            return []
        return [self._close(CloseCode.FORBIDDEN, reason)]

    def fail(self, reason: str = "Internal server error") -> list[Event]:
        """Close because of a fault of our own."""
        if self.state is State.CLOSED:
            return []
        return [self._close(CloseCode.INTERNAL_ERROR, reason)]

    def init_timed_out(self) -> list[Event]:
        """Note that the time for `connection_init` is over. Slow judging is no time-out."""
        if self.state is not State.OPENED:
            return []
        return [self._close(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")]

    def next(self, id: str, payload: str) -> list[Event]:
        """Send one result, given as JSON text, so that many connections can share it."""
        if id not in self._ids:
            return []
        return [Frame(text=f'{{"id":{json.dumps(id)},"type":"next","payload":{payload}}}')]

    def error(self, id: str, errors: str) -> list[Event]:
        """End an operation with its errors, given as the JSON text of an array."""
        if id not in self._ids:
            return []
        self._ids.discard(id)
        return [Frame(text=f'{{"id":{json.dumps(id)},"type":"error","payload":{errors}}}')]

    def complete(self, id: str) -> list[Event]:
        """End an operation. The id is free before the client can know."""
        if id not in self._ids:
            return []
        self._ids.discard(id)
        return [_frame("complete", id=id)]

    def _judge(self, message: dict[str, Any]) -> list[Event]:
        self.state = State.INITIALISING
        return [ConnectionInit(payload=message.get("payload"))]

    def _too_many(self, message: dict[str, Any]) -> list[Event]:
        reason = "Too many initialisation requests"
        return [self._close(CloseCode.TOO_MANY_INIT_REQUESTS, reason)]

    def _pong(self, message: dict[str, Any]) -> list[Event]:
        return [_frame("pong", payload=message.get("payload"))]

    def _ignore(self, message: dict[str, Any]) -> list[Event]:
        return []

    def _unauthorized(self, message: dict[str, Any]) -> list[Event]:
        return [self._close(CloseCode.UNAUTHORIZED, "Unauthorized")]

    def _subscribe(self, message: dict[str, Any]) -> list[Event]:
        id, payload = message.get("id"), message.get("payload")
        if not isinstance(id, str) or not id:
            return [self._bad(message, "id", "a non-empty string")]
        if payload is None:
            return [self._bad(message, "payload", "an object")]
        if not isinstance(payload.get("query"), str):
            return [self._bad(message, "payload.query", "a string")]
        if not isinstance(payload.get("operationName"), str | None):
            return [self._bad(message, "payload.operationName", "a string or null")]
        for key in ("variables", "extensions"):
            if not isinstance(payload.get(key), dict | None):
                return [self._bad(message, f"payload.{key}", "an object or null")]
        if id in self._ids:
            reason = f"Subscriber for {id} already exists"
            return [self._close(CloseCode.SUBSCRIBER_ALREADY_EXISTS, reason)]
        self._ids.add(id)
        return [Subscribe(id=id, payload=payload)]

    def _complete(self, message: dict[str, Any]) -> list[Event]:
        id = message.get("id")
        if not isinstance(id, str) or not id:
            return [self._bad(message, "id", "a non-empty string")]
        if id not in self._ids:
            return []
        self._ids.discard(id)
        return [Complete(id=id)]

    def _bad(self, message: dict[str, Any], field: str, expected: str) -> Close:
        reason = f"Invalid {message['type']} message: {field} must be {expected}"
        return self._close(CloseCode.BAD_REQUEST, reason)

    def _close(self, code: CloseCode, reason: str) -> Close:
        self.state = State.CLOSED
        self._ids.clear()
        return Close.because(code, reason)


_T = GraphQLTransportWS
_TRANSITIONS: Mapping[State, Mapping[str, Callable[[_T, dict[str, Any]], list[Event]]]] = {
    State.OPENED: {
        "connection_init": _T._judge,
        "subscribe": _T._unauthorized,
        "complete": _T._complete,
        "ping": _T._pong,
        "pong": _T._ignore,
    },
    State.INITIALISING: {
        "connection_init": _T._too_many,
        "subscribe": _T._unauthorized,
        "complete": _T._complete,
        "ping": _T._pong,
        "pong": _T._ignore,
    },
    State.ACKNOWLEDGED: {
        "connection_init": _T._too_many,
        "subscribe": _T._subscribe,
        "complete": _T._complete,
        "ping": _T._pong,
        "pong": _T._ignore,
    },
}
"""What each message of the client does in each state; any other type closes with 4400."""


def _refuse_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python reads but JSON has not."""
    raise ValueError(f"{name} is not JSON")


def _frame(kind: str, *, id: str | None = None, payload: Any = None) -> Frame:
    message = {"id": id, "type": kind, "payload": payload}
    return Frame(text=json.dumps({k: v for k, v in message.items() if v is not None}))
