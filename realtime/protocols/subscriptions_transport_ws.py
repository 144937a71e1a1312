"""The legacy protocol, whose subprotocol is called `graphql-ws`.

Source: PROTOCOL.md and server.ts of the subscriptions-transport-ws library.
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

MAX_HELD = 100
"""Messages that wait for the acknowledgement; one more closes the connection."""


class SubscriptionsTransportWS(ServerProtocol):
    """One connection. A message that is wrong is answered, and the connection stays.

    The reference client starts operations right behind its init: while that is judged,
    they are held, and nothing runs before the client is let in.
    """

    SUBPROTOCOL = "graphql-ws"
    ANSWERS_HEARTBEAT = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._held: list[Message] = []

    @property
    def is_full(self) -> bool:
        """Whether one more operation would be refused: better read its message later."""
        return super().is_full or len(self._held) >= MAX_HELD

    def accept(self, payload: Mapping[str, Any] | None = None) -> list[Event]:
        """Let the client in; the first keep-alive goes with it."""
        if self.state is not State.INITIALISING:
            return []
        acknowledgement = frame("connection_ack", payload=payload)
        self.state = State.ACKNOWLEDGED
        held, self._held = self._held, []
        handlers = _TRANSITIONS[self.state]
        begun = [event for message in held for event in handlers[message["type"]](self, message)]
        return [acknowledgement, *self.heartbeat(), *begun]

    def refuse(
        self, reason: str = "Forbidden", payload: Mapping[str, Any] | None = None
    ) -> list[Event]:
        """Do not let the client in; it may try again with other credentials."""
        error = self._connection_error(reason, payload)
        return [*error, self._close(CloseCode.FORBIDDEN, reason)] if error else []

    def fail(self, reason: str = "Internal server error") -> list[Event]:
        """Close because of a fault of our own."""
        return [*self._connection_error(reason), *super().fail(reason)]

    def forbid(self, reason: str = "Forbidden") -> list[Event]:
        """Close because the client may be here no longer."""
        return [*self._connection_error(reason), *super().forbid(reason)]

    def unavailable(self) -> list[Event]:
        """Close because something is away that an operation needs, and will be back."""
        return [*self._connection_error("Try again later"), *super().unavailable()]

    def envelope(self, id: OperationId) -> tuple[str, str]:
        """Return what stands before and after each payload of the operation's results."""
        return around("data", id)

    def error(self, id: OperationId, errors: str) -> list[Event]:
        """End an operation with its errors, given as the JSON text of an array.

        As the reference does it: an `error` bears one object alone.
        """
        return [*self.next(id, _result(errors)), *self.complete(id)]

    def heartbeat(self) -> list[Event]:
        """Tell the client that the server is there."""
        return [frame("ka")] if self._keep_alive and self.state is State.ACKNOWLEDGED else []

    @staticmethod
    def _is_id(value: Any) -> bool:
        # Numbers, too: the protocol does not say, the reference takes them, old clients use them.
        return ServerProtocol._is_id(value) or type(value) is int

    @classmethod
    def _transitions(cls) -> Transitions:
        return _TRANSITIONS

    def _handle(self, message: Message) -> list[Event]:
        match message:
            case {"type": "connection_init", "payload": "" | []}:
                # Python clients send "" and PHP clients [] where they have no parameters.
                message = {**message, "payload": None}
            case {"type": "stop" | "connection_terminate"}:  # these have no payload
                message = {**message, "payload": None}
        return super()._handle(message)

    def _connection_error(
        self, reason: str, payload: Mapping[str, Any] | None = None
    ) -> list[Event]:
        """Answer a `connection_init` that is not accepted."""
        if self.state is not State.INITIALISING:
            return []
        return [frame("connection_error", payload=payload or {"message": reason})]

    def _malformed(self, reason: str) -> list[Event]:
        return [frame("connection_error", payload={"message": reason})]

    def _unknown(self, message: Message) -> list[Event]:
        return [_error(message, "Invalid message type!")]

    def _bad(self, message: Message, field: str, expected: str) -> list[Event]:
        text = f"Invalid {message['type']} message: {field} must be {expected}"
        if message["type"] == "connection_init":
            return [*self._malformed(text), self._close(CloseCode.BAD_REQUEST, text)]
        return [_error(message, text)]

    def _hold(self, message: Message) -> list[Event]:
        if len(self._held) == MAX_HELD:
            return [self._close(CloseCode.BAD_REQUEST, "Too many messages before connection_ack")]
        self._held.append(message)
        return []

    def _start(self, message: Message) -> list[Event]:
        """Begin an operation; one of the same id ends, as an old client means it."""
        if fault := self._fault_of_operation(message):
            return self._bad(message, *fault)
        id: OperationId = message["id"]
        replaced: list[Event] = [Complete(id=id)] if id in self._ids else []
        if not replaced and (errors := self._too_many_operations()):
            return self._refuse_operation(id, errors)
        self._ids.add(id)
        return [*replaced, Subscribe(id=id, payload=without_empty_name(message["payload"]))]

    def _refuse_operation(self, id: OperationId, errors: str) -> list[Event]:
        return [spliced("data", id, _result(errors)), frame("complete", id=id)]

    def _stop(self, message: Message) -> list[Event]:
        id: Any = message.get("id")
        if not self._is_id(id) or id not in self._ids:
            return []
        return [Complete(id=id), *self.complete(id)]

    def _terminate(self, message: Message) -> list[Event]:
        return [self._close(CloseCode.NORMAL, "")]


def _error(message: Message, text: str) -> Event:
    id = message.get("id")
    known = isinstance(id, str) or type(id) is int
    return frame("error", id=id if known else None, payload={"message": text})


def _result(errors: str) -> str:
    return f'{{"errors":{errors}}}'


_T = SubscriptionsTransportWS
_TRANSITIONS: Transitions = {
    State.OPENED: {
        "connection_init": _T._judge,
        "start": _T._unauthorized,
        "stop": _T._stop,
        "connection_terminate": _T._terminate,
    },
    State.INITIALISING: {
        "connection_init": _T._too_many,
        "start": _T._hold,
        "stop": _T._hold,
        "connection_terminate": _T._terminate,
    },
    State.ACKNOWLEDGED: {
        "connection_init": _T._too_many,
        "start": _T._start,
        "stop": _T._stop,
        "connection_terminate": _T._terminate,
    },
}
