"""What drives a protocol over a socket that somebody else has, under asyncio and under trio.

`connection` and `drop_in` have the classes to use. These modules and `stream` do more than
compute; import the classes from `realtime.protocols`.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import anyio

from realtime.protocols.close_codes import Close
from realtime.protocols.events import Event, Frame, OperationId
from realtime.protocols.server import ServerProtocol
from realtime.protocols.stream import RunningOperation

Stream = AsyncIterable[Any]

Send = Callable[[dict[str, Any]], Awaitable[object]]

Outgoing = Event | dict[str, Any]
"""What is sent: an event of the protocol, or a message."""


class Driver(ABC):
    """The server's side of one connection; callables do its I/O.

    One call of `send` or of the callable that closes is over before the next begins.
    """

    MASKED: ClassVar[str]
    """The JSON of the errors by which a client learns of an exception; the log has the rest."""

    def __init__(
        self,
        machine: ServerProtocol,
        send: Send,
        raised_when_closed: Collection[type[BaseException]],
    ) -> None:
        self._machine = machine
        self._send = send
        self._raised_when_closed = tuple(raised_when_closed)
        self._running: set[RunningOperation] = set()
        self._turns: WeakValueDictionary[OperationId, anyio.Lock] = WeakValueDictionary()
        self._socket = anyio.Lock()
        self._over = False

    async def __call__(self, message: object) -> None:
        """Take one message: text, UTF-8, or what its JSON decodes to.

        A call that begins an operation returns when that has ended: give each a task of its
        own, begun in the order of the messages.
        """
        try:
            await self._handle(self._machine.receive(_text(message)))
        except self._raised_when_closed as closed:
            self._end()
            if not isinstance(closed, Exception):
                raise

    async def stop(self) -> None:
        """End all operations, and return when their `finally` have run. Nothing is sent."""
        self._end()
        await self._ended()

    @abstractmethod
    async def _handle(self, events: Sequence[Event]) -> None:
        """Do what one message asks for. All that must be known of it is noted before an await."""

    @abstractmethod
    async def _shut(self, close: Close) -> None:
        """Close the socket."""

    @abstractmethod
    def _messages(self, operation: RunningOperation, result: Any) -> Sequence[Outgoing]:
        """Return what to send for one encoded result."""

    async def _run(self, operation: RunningOperation) -> None:
        """Send an operation's results, then its end."""
        self._running.add(operation)
        try:
            async with self._turn(operation.id):
                try:
                    while (result := await operation.next()) is not None:
                        await self._say_of(operation, partial(self._result, operation, result))
                finally:
                    await operation.aclose()
                await self._say_of(operation, partial(self._finish, operation))
                await self._say(operation.answer)
        finally:
            self._finish(operation)
            self._running.discard(operation)
            operation.ended.set()

    def _turn(self, id: OperationId) -> anyio.Lock:
        """Return the lock that has the operations and ends of one id follow each other.

        An operation whose id is used again ends, and its end is told, before the next begins.
        """
        return self._turns.setdefault(id, anyio.Lock())

    def _result(self, operation: RunningOperation, result: Any) -> Sequence[Outgoing]:
        return [] if operation.over else self._messages(operation, result)

    def _finish(self, operation: RunningOperation) -> list[Event]:
        """Free the id, once; from then on it may belong to another operation."""
        if operation.over:
            return []
        operation.over = True
        if operation.fault is not None:
            return self._machine.error(operation.id, self.MASKED)
        return self._machine.complete(operation.id)

    def _interrupt(self, id: OperationId) -> None:
        for operation in self._running:
            if operation.id == id:
                operation.interrupt()

    async def _say(self, events: Sequence[Outgoing]) -> None:
        if events:
            async with self._socket:
                await self._write(events)

    async def _say_of(
        self, operation: RunningOperation, messages: Callable[[], Sequence[Outgoing]]
    ) -> None:
        """Send what is still true of an operation once the socket is free."""
        if operation.over:
            return
        with operation.sending():
            async with self._socket:
                await self._write(messages())

    async def _write(self, events: Sequence[Outgoing]) -> None:
        try:
            for event in events:
                if self._over:
                    return
                match event:
                    case Frame(text=text):
                        await self._send(json.loads(text))
                    case dict():
                        await self._send(event)
                    case Close():
                        self._over = True
                        await self._shut(event)
        except self._raised_when_closed as closed:
            if isinstance(closed, Exception):  # a cancellation may be that of one operation alone
                self._end()
            raise

    def _end(self) -> None:
        self._over = True
        self._machine.fail()  # what it would send is not sent: there is no socket any more
        self._cancel()

    def _cancel(self) -> None:
        for operation in self._running:
            operation.end()

    async def _ended(self) -> None:
        with anyio.CancelScope(shield=True):
            for operation in list(self._running):
                await operation.wait()


def _text(message: object) -> str | bytes:
    """Return the text to validate, whatever form a library hands it over in."""
    if isinstance(message, str):
        return message
    if isinstance(message, bytes | bytearray):
        try:
            return message.decode()
        except UnicodeDecodeError:
            return bytes(message)  # which the protocol refuses: messages are text
    try:
        return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return ""  # no JSON, as it would be had it come as a text of this depth
