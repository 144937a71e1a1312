"""The class `GraphQLWSProtocol` of the project subscriptions-transport-ws-python, made safe.

Source: its README, and its tests, which pass.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, Protocol

from realtime.protocols.close_codes import Close, CloseCode
from realtime.protocols.driver import Driver, Outgoing, Send, Stream
from realtime.protocols.events import Complete, Event, OperationId, Subscribe
from realtime.protocols.operation import fault_of_parameters
from realtime.protocols.server import Message, State, Transitions, frame
from realtime.protocols.stream import RunningOperation
from realtime.protocols.subscriptions_transport_ws import SubscriptionsTransportWS

TERMINATED = 1011
"""The code with which the reference class closes on `connection_terminate`."""


class SubscribeCallable(Protocol):
    """Begin an operation: an async generator function, or a coroutine function returning one."""

    def __call__(
        self, *, query: str | None, variables: dict[str, Any] | None, operation_name: str | None
    ) -> Stream | Awaitable[Stream]:
        """Return the payloads of the `data` messages."""


class GraphQLWSProtocol(Driver):
    """The server's side of one connection of the legacy dialect; callables do its I/O.

    `send(message)` takes a dict, `close(close_code)` an int. `raised_when_closed` are the
    exceptions by which these, the results, or the loop by cancelling, say that the socket is
    gone. The payloads of results are given to `send` as they are.

    An exception of `subscribe` or of its results is told to the client as `Internal error`,
    logged, and raised by the call that began the operation.

    Unlike the reference class it closes with 4401 on a `start` before any `connection_init`,
    bounds the messages (64 KiB) and the operations (100 at once), ends all operations before
    it closes, and sends nothing after that.
    """

    name = "graphql-ws"
    """The subprotocol to agree on in the handshake."""

    MASKED = json.dumps([{"message": "Internal error"}])

    def __init__(
        self,
        send: Send,
        close: Callable[[int], Awaitable[object]],
        subscribe: SubscribeCallable,
        raised_when_closed: Collection[type[BaseException]] = (),
    ) -> None:
        super().__init__(_Messages(keep_alive=False), send, raised_when_closed)
        self._close = close
        self._subscribe = subscribe

    async def _handle(self, events: Sequence[Event]) -> None:
        match events:
            case [*_, Subscribe(id=id, payload=payload)]:
                self._interrupt(id)
                await self._run(self._operation(id, payload))
            case [Complete(id=id), *answer]:
                # The operation's own call tells the end: after its clean-up, and not if the
                # connection is closed before.
                for operation in self._running:
                    if operation.id == id and not operation.over:
                        operation.answer = answer
                self._interrupt(id)
            case [Close(code=CloseCode.NORMAL) as close]:
                self._cancel()
                await self._ended()
                async with self._socket:
                    self._over = True
                    await self._shut(close)  # as often as the client asks for it
            case [Close()]:
                self._cancel()
                await self._ended()
                await self._say(events)
            case _:
                await self._say(events)

    def _operation(self, id: OperationId, payload: Any) -> RunningOperation:
        begin = partial(
            self._subscribe,
            query=payload.get("query"),
            variables=payload.get("variables"),
            operation_name=payload.get("operationName"),
        )
        return RunningOperation(id, begin, partial(_data, id), self._raised_when_closed)

    async def _run(self, operation: RunningOperation) -> None:
        await super()._run(operation)
        if operation.fault is not None:
            raise operation.fault

    async def _shut(self, close: Close) -> None:
        code = TERMINATED if close.code is CloseCode.NORMAL else int(close.code)
        await self._close(code)

    def _messages(self, operation: RunningOperation, result: Any) -> Sequence[Outgoing]:
        return [result]


def _data(id: OperationId, payload: Any) -> Message:
    message = {"id": id, "type": "data", "payload": payload}
    return {name: value for name, value in message.items() if value is not None}


class _Messages(SubscriptionsTransportWS):
    """The messages of the reference class: each may bear an id, and needs none."""

    _is_terminated = False

    def error(self, id: OperationId, errors: str) -> list[Event]:
        """End an operation with the first of its errors."""
        if id not in self._ids:
            return []
        self._ids.discard(id)
        return self._refuse_operation(id, errors)

    @classmethod
    def _transitions(cls) -> Transitions:
        return _TRANSITIONS

    @staticmethod
    def _is_id(value: Any) -> bool:
        return not isinstance(value, dict | list)

    def _handle(self, message: Message) -> list[Event]:
        kind = message.get("type")
        if self._is_terminated and kind != "connection_terminate":
            return []
        if kind == "connection_init":
            message = {**message, "payload": None}
        return super()._handle(message)

    def _acknowledge(self, message: Message) -> list[Event]:
        self.state = State.ACKNOWLEDGED
        return [frame("connection_ack", id=message.get("id"))]

    def _start(self, message: Message) -> list[Event]:
        return super()._start({"id": None, **message, "payload": message.get("payload") or {}})

    def _fault_of_operation(self, message: Message) -> tuple[str, str] | None:
        if not self._is_id(message["id"]):
            return "id", "a text, a number or null"
        parameters = {
            name: value for name, value in message["payload"].items() if value is not None
        }
        if fault := fault_of_parameters({"query": "", **parameters}):
            name, expected = fault
            return f"payload.{name}", expected
        return None

    def _refuse_operation(self, id: OperationId, errors: str) -> list[Event]:
        return [frame("error", id=id, payload={"message": json.loads(errors)[0]["message"]})]

    def _terminate(self, message: Message) -> list[Event]:
        self._is_terminated = True  # but not closed: each of these messages closes
        self._ids.clear()
        return [Close(CloseCode.NORMAL, "")]

    def _malformed(self, reason: str) -> list[Event]:
        return [frame("error", payload={"message": reason})]

    def _unknown(self, message: Message) -> list[Event]:
        text = f"Unhandled message type: {message.get('type')!s:.60}"
        return [frame("error", id=message.get("id"), payload={"message": text})]

    def _bad(self, message: Message, field: str, expected: str) -> list[Event]:
        text = f"Invalid {message['type']} message: {field} must be {expected}"
        return [frame("error", id=message.get("id"), payload={"message": text})]


_T = _Messages
_TRANSITIONS: Transitions = {
    State.OPENED: {
        "connection_init": _T._acknowledge,
        "start": _T._unauthorized,
        "stop": _T._stop,
        "connection_terminate": _T._terminate,
    },
    State.ACKNOWLEDGED: {
        "connection_init": _T._acknowledge,
        "start": _T._start,
        "stop": _T._stop,
        "connection_terminate": _T._terminate,
    },
}
