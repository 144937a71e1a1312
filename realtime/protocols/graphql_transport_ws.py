"""The `graphql-transport-ws` subprotocol.

Source: PROTOCOL.md of the graphql-ws library.
"""

from collections.abc import Mapping
from typing import Any

from realtime.protocols.close_codes import CloseCode
from realtime.protocols.events import Complete, Event, OperationId, Subscribe
from realtime.protocols.operation import without_empty_name
from realtime.protocols.server import (
    Message,
    ServerProtocol,
    State,
    Transitions,
    around,
    frame,
    spliced,
)


class GraphQLTransportWS(ServerProtocol):
    """One connection. A message that is wrong closes it."""

    SUBPROTOCOL = "graphql-transport-ws"
    ANSWERS_HEARTBEAT = True

    def accept(self, payload: Mapping[str, Any] | None = None) -> list[Event]:
        """Let the client in."""
        if self.state is not State.INITIALISING:
            return []
        acknowledgement = frame("connection_ack", payload=payload)
        self.state = State.ACKNOWLEDGED
        return [acknowledgement]

    def refuse(
        self, reason: str = "Forbidden", payload: Mapping[str, Any] | None = None
    ) -> list[Event]:
        """Do not let the client in; it may try again with other credentials."""
        if self.state is not State.INITIALISING:
            return []
        return [self._close(CloseCode.FORBIDDEN, reason)]

    def envelope(self, id: OperationId) -> tuple[str, str]:
        """Return what stands before and after each payload of the operation's results."""
        return around("next", id)

    def error(self, id: OperationId, errors: str) -> list[Event]:
        """End an operation with its errors, given as the JSON text of an array."""
        if id not in self._ids:
            return []
        self._ids.discard(id)
        return [spliced("error", id, errors)]

    def heartbeat(self) -> list[Event]:
        """Ask whether the client is there."""
        return [frame("ping")] if self._keep_alive and self.state is not State.CLOSED else []

    @classmethod
    def _transitions(cls) -> Transitions:
        return _TRANSITIONS

    def _malformed(self, reason: str) -> list[Event]:
        return [self._close(CloseCode.BAD_REQUEST, reason)]

    def _unknown(self, message: Message) -> list[Event]:
        return self._malformed(f"Invalid message type {message.get('type')!r:.60}")

    def _bad(self, message: Message, field: str, expected: str) -> list[Event]:
        return self._malformed(f"Invalid {message['type']} message: {field} must be {expected}")

    def _subscribe(self, message: Message) -> list[Event]:
        if fault := self._fault_of_operation(message):
            return self._bad(message, *fault)
        id: str = message["id"]
        if id in self._ids:
            reason = f"Subscriber for {id} already exists"
            return [self._close(CloseCode.SUBSCRIBER_ALREADY_EXISTS, reason)]
        if errors := self._too_many_operations():
            return [spliced("error", id, errors)]
        self._ids.add(id)
        return [Subscribe(id=id, payload=without_empty_name(message["payload"]))]

    def _complete(self, message: Message) -> list[Event]:
        id: Any = message.get("id")
        if not self._is_id(id):
            return self._bad(message, "id", "a non-empty string")
        if id not in self._ids:
            return []
        self._ids.discard(id)
        return [Complete(id=id)]

    def _pong(self, message: Message) -> list[Event]:
        return [frame("pong", payload=message.get("payload"))]

    def _ignore(self, message: Message) -> list[Event]:
        return []


_T = GraphQLTransportWS
_TRANSITIONS: Transitions = {
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
