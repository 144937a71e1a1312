"""What the server's side of both WebSocket dialects has in common, without I/O.

Text goes in, events and frames come out. Whatever a peer sends yields frames or a
Close, never an exception. Time comes in as events: `init_timed_out()`, `heartbeat()`,
`peer_silent()`, `peer_stalled()`.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from enum import Enum, auto
from math import isinf
from typing import Any, ClassVar

from realtime.protocols.close_codes import Close, CloseCode
from realtime.protocols.events import ConnectionInit, Event, Frame, OperationId
from realtime.protocols.operation import fault_of_parameters, too_many

Message = dict[str, Any]


class State(Enum):
    """Where the connection is."""

    OPENED = auto()
    INITIALISING = auto()
    """`connection_init` is being judged, which may take its time."""
    ACKNOWLEDGED = auto()
    CLOSED = auto()


Transitions = Mapping[State, Mapping[str, Callable[[Any, Message], list[Event]]]]
"""What each message of the client does in each state."""


MAX_OPERATIONS = 100
"""Operations that run at once on one connection; one more gets an error."""

MAX_MESSAGE_SIZE = 64 * 1024
"""Bytes of UTF-8 that one message of the client may have; a larger one closes the connection."""


class ServerProtocol(ABC):
    """One connection."""

    SUBPROTOCOL: ClassVar[str]
    ANSWERS_HEARTBEAT: ClassVar[bool]
    """Whether the client must send something after a `heartbeat()`."""

    def __init__(
        self,
        *,
        keep_alive: bool = True,
        max_operations: int = MAX_OPERATIONS,
        max_waiting: int = 0,
        max_message_size: int = MAX_MESSAGE_SIZE,
    ) -> None:
        """Admit so many operations at once, and as many more as its owner lets wait."""
        self.state = State.OPENED
        self._ids: set[OperationId] = set()
        self._keep_alive = keep_alive
        self._max_operations = max_operations
        self._max_waiting = max_waiting
        self._max_message_size = max_message_size

    @property
    def is_full(self) -> bool:
        """Whether one more operation would be refused: better read its message later."""
        return len(self._ids) >= self._max_operations + self._max_waiting

    def receive(self, data: str | bytes) -> list[Event]:
        """Take one message of the peer."""
        if self.state is State.CLOSED:
            return []
        if isinstance(data, bytes):
            return [self._close(CloseCode.BAD_REQUEST, "Messages are text, not binary")]
        if _exceeds(data, self._max_message_size):
            reason = f"Message is larger than {self._max_message_size} bytes"
            return [self._close(CloseCode.BAD_REQUEST, reason)]
        try:
            message = json.loads(data, parse_constant=_refuse_constant, parse_float=_finite)
        except (ValueError, RecursionError):
            return self._malformed("Message is not valid JSON")
        if not isinstance(message, dict):
            return self._malformed("Message is not a JSON object")
        try:
            return self._handle(message)
        except RecursionError:  # to answer what is nested as deep as the parser just bore
            return self._malformed("Message is nested too deeply")

    def _handle(self, message: Message) -> list[Event]:
        kind = message.get("type")
        handle = self._transitions()[self.state].get(kind) if isinstance(kind, str) else None
        if handle is None:
            return self._unknown(message)
        if not isinstance(message.get("payload"), dict | None):
            return self._bad(message, "payload", "an object or null")
        return handle(self, message)

    @abstractmethod
    def accept(self, payload: Mapping[str, Any] | None = None) -> list[Event]:
        """Let the client in."""

    @abstractmethod
    def refuse(
        self, reason: str = "Forbidden", payload: Mapping[str, Any] | None = None
    ) -> list[Event]:
        """Do not let the client in; it may try again with other credentials.

        The payload says more than the reason, to the clients of a dialect that has a place for it.
        """

    def next(self, id: OperationId, payload: str) -> list[Frame]:
        """Send one result, given as JSON text, so that many connections can share it."""
        if id not in self._ids:
            return []
        before, after = self.envelope(id)
        return [Frame(before + payload + after)]

    @abstractmethod
    def envelope(self, id: OperationId) -> tuple[str, str]:
        """Return what stands before and after each payload of the operation's results."""

    @abstractmethod
    def error(self, id: OperationId, errors: str) -> list[Event]:
        """End an operation with its errors, given as the JSON text of an array."""

    def complete(self, id: OperationId) -> list[Event]:
        """End an operation. The id is free before the client can know."""
        if id not in self._ids:
            return []
        self._ids.discard(id)
        return [frame("complete", id=id)]

    def fail(self, reason: str = "Internal server error") -> list[Event]:
        """Close because of a fault of our own."""
        if self.state is State.CLOSED:
            return []
        return [self._close(CloseCode.INTERNAL_ERROR, reason)]

    def peer_stalled(self) -> list[Event]:
        """Note that the client no longer reads what is sent."""
        if self.state is State.CLOSED:
            return []
        return [self._close(CloseCode.SLOW_CONSUMER, "Too slow to read")]

    def forbid(self, reason: str = "Forbidden") -> list[Event]:
        """Close because the client may be here no longer."""
        if self.state is State.CLOSED:
            return []
        return [self._close(CloseCode.FORBIDDEN, reason)]

    def restart(self) -> list[Event]:
        """Close because the server is about to end; another takes the client."""
        if self.state is State.CLOSED:
            return []
        return [self._close(CloseCode.RESTARTING, "Server restarting")]

    def unavailable(self) -> list[Event]:
        """Close because something is away that an operation needs, and will be back."""
        if self.state is State.CLOSED:
            return []
        return [self._close(CloseCode.TRY_AGAIN_LATER, "Try again later")]

    def init_timed_out(self) -> list[Event]:
        """Note that the time for `connection_init` is over. Slow judging is no time-out."""
        if self.state is not State.OPENED:
            return []
        return [self._close(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")]

    @abstractmethod
    def heartbeat(self) -> list[Event]:
        """Tell the client that the server is there, or ask whether the client is.

        Nothing when keep-alive is off.
        """

    def peer_silent(self) -> list[Event]:
        """Note that the client has sent nothing since a heartbeat that it must answer."""
        if self.state is State.CLOSED:
            return []
        return [self._close(CloseCode.PEER_SILENT, "No answer to ping")]

    @classmethod
    @abstractmethod
    def _transitions(cls) -> Transitions:
        """Return the dialect's table."""

    @abstractmethod
    def _malformed(self, reason: str) -> list[Event]:
        """Answer what is no message at all."""

    @abstractmethod
    def _unknown(self, message: Message) -> list[Event]:
        """Answer a type that the dialect has not, or not now."""

    @abstractmethod
    def _bad(self, message: Message, field: str, expected: str) -> list[Event]:
        """Answer a message of which a field is wrong."""

    def _judge(self, message: Message) -> list[Event]:
        self.state = State.INITIALISING
        return [ConnectionInit(payload=message.get("payload"))]

    def _too_many(self, message: Message) -> list[Event]:
        reason = "Too many initialisation requests"
        return [self._close(CloseCode.TOO_MANY_INIT_REQUESTS, reason)]

    def _unauthorized(self, message: Message) -> list[Event]:
        return [self._close(CloseCode.UNAUTHORIZED, "Unauthorized")]

    @staticmethod
    def _is_id(value: Any) -> bool:
        return isinstance(value, str) and value != ""

    def _too_many_operations(self) -> str | None:
        """Return the JSON of the errors for an operation beyond the limit."""
        if len(self._ids) < self._max_operations + self._max_waiting:
            return None
        return json.dumps(too_many(self._max_operations))

    def _fault_of_operation(self, message: Message) -> tuple[str, str] | None:
        """Return which field of a message that begins an operation is wrong, and what fits."""
        payload = message.get("payload")
        if not self._is_id(message.get("id")):
            return "id", "a non-empty string"
        if payload is None:
            return "payload", "an object"
        if fault := fault_of_parameters(payload):
            name, expected = fault
            return f"payload.{name}", expected
        return None

    def _close(self, code: CloseCode, reason: str) -> Close:
        self.state = State.CLOSED
        self._ids.clear()
        return Close.because(code, reason)


def frame(kind: str, *, id: OperationId | None = None, payload: Any = None) -> Frame:
    """Return a message; what is None is left out."""
    message = {"id": id, "type": kind, "payload": payload}
    return Frame(json.dumps({k: v for k, v in message.items() if v is not None}))


def spliced(kind: str, id: OperationId, payload: str) -> Frame:
    """Return a message around a payload that is JSON already."""
    before, after = around(kind, id)
    return Frame(before + payload + after)


def around(kind: str, id: OperationId) -> tuple[str, str]:
    """Return what stands before and after the payload of a message."""
    return f'{{"id":{json.dumps(id)},"type":"{kind}","payload":', "}"


def _exceeds(text: str, size: int) -> bool:
    # Counting characters first spares encoding what is clearly too large, or clearly not.
    return len(text) > size or (
        len(text) * 4 > size and len(text.encode(errors="surrogatepass")) > size
    )


def _finite(text: str) -> float:
    """Refuse what is too large for a float: as an infinity it could not be sent back."""
    number = float(text)
    if isinf(number):
        raise ValueError(f"{text:.60} is too large")
    return number


def _refuse_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python reads but JSON has not."""
    raise ValueError(f"{name} is not JSON")
