"""The protocols for people who bring their own socket, under asyncio and under trio.

This and `stream` do more than compute; import `GraphQLWSProtocol` from `realtime.protocols`.
"""

import json
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Collection,
    Sequence,
)
from functools import partial
from typing import Any, Protocol
from weakref import WeakValueDictionary

import anyio

from realtime.protocols.close_codes import Close
from realtime.protocols.events import Complete, ConnectionInit, Event, Frame, OperationId, Subscribe
from realtime.protocols.registry import DIALECTS
from realtime.protocols.stream import RunningOperation

MASKED = json.dumps([{"message": "Internal server error"}])
"""What a client learns of an exception; the rest is in the log."""

Stream = AsyncIterable[Any]


async def _unregistered() -> AsyncGenerator[Any, None]:
    """Answer who names a document by its hash: there are none here."""
    code = {"code": "PERSISTED_QUERY_NOT_FOUND"}
    yield {"errors": [{"message": "PersistedQueryNotFound", "extensions": code}]}


class SubscribeCallable(Protocol):
    """Begin an operation: an async generator function, or a coroutine function returning one."""

    def __call__(
        self, *, query: str, variables: dict[str, Any] | None, operation_name: str | None
    ) -> Stream | Awaitable[Stream]:
        """Return the results, each a JSON-able dict such as `{"data": …}`."""


class GraphQLWSProtocol:
    """The server's side of one connection; callables do its I/O.

        async def subscribe(query, variables, operation_name):
            yield {"data": {"hello": "world"}}

        protocol = GraphQLWSProtocol(send, close, subscribe, (ConnectionClosed,))
        async for message in socket:
            tasks.create_task(protocol(message))  # trio: nursery.start_soon(protocol, message)
        await protocol.stop()

    `send(message)` takes a dict, `close(code, reason)` an int and a text; one is never called
    before the other has returned. `raised_when_closed` are the exceptions by which they, or
    the loop by cancelling, say that the socket is gone.

    Clients are acknowledged at once; who may connect is decided before. There are no
    keep-alives. Exceptions of `subscribe` and of its results are logged and masked, any other
    of `send` or `close` is raised.
    """

    name = "graphql-ws"
    """The subprotocol to agree on in the handshake."""

    def __init__(
        self,
        send: Callable[[dict[str, Any]], Awaitable[object]],
        close: Callable[[int, str], Awaitable[object]],
        subscribe: SubscribeCallable,
        raised_when_closed: Collection[type[BaseException]] = (),
        *,
        subprotocol: str = name,
    ) -> None:
        dialects = {dialect.SUBPROTOCOL: dialect for dialect in DIALECTS}
        if subprotocol not in dialects:
            raise ValueError(f"subprotocol must be one of {list(dialects)}, not {subprotocol!r}")
        self.name = subprotocol
        self._machine = dialects[subprotocol](keep_alive=False)
        self._send = send
        self._close = close
        self._subscribe = subscribe
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

    async def _handle(self, events: Sequence[Event]) -> None:
        """Do what one message asks for. All that must be known of it is noted before an await."""
        match events:
            case [ConnectionInit()]:
                # Nothing awaits in between, so no message is ever held until the acceptance.
                await self._say(self._machine.accept())
            case [*_, Subscribe(id=id, payload=payload)]:
                self._interrupt(id)
                begin: Callable[[], Stream | Awaitable[Stream]] = _unregistered
                if payload.get("query") is not None:
                    begin = partial(
                        self._subscribe,
                        query=payload["query"],
                        variables=payload.get("variables"),
                        operation_name=payload.get("operationName"),
                    )
                await self._run(RunningOperation(id, begin))
            case [Complete(id=id), *answer]:
                self._interrupt(id)
                async with self._turn(id):
                    await self._say(answer)
            case [Close()]:
                self._cancel()
                await self._ended()
                await self._say(events)
            case _:
                await self._say(events)

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
        finally:
            self._finish(operation)
            self._running.discard(operation)
            operation.ended.set()

    def _turn(self, id: OperationId) -> anyio.Lock:
        """Return what makes those who use an id follow each other, as their messages came.

        An operation whose id is used again ends, and its end is told, before the next begins.
        """
        return self._turns.setdefault(id, anyio.Lock())

    def _result(self, operation: RunningOperation, result: str) -> Sequence[Event]:
        return [] if operation.over else self._machine.next(operation.id, result)

    def _finish(self, operation: RunningOperation) -> list[Event]:
        """Free the id, once; from then on it may belong to another operation."""
        if operation.over:
            return []
        operation.over = True
        if operation.failed:
            return self._machine.error(operation.id, MASKED)
        return self._machine.complete(operation.id)

    def _interrupt(self, id: OperationId) -> None:
        for operation in self._running:
            if operation.id == id:
                operation.interrupt()

    async def _say(self, events: Sequence[Event]) -> None:
        if events:
            async with self._socket:
                await self._write(events)

    async def _say_of(
        self, operation: RunningOperation, frames: Callable[[], Sequence[Event]]
    ) -> None:
        """Send what is still true of an operation once the socket is free."""
        if operation.over:
            return
        with operation.sending():
            async with self._socket:
                await self._write(frames())

    async def _write(self, events: Sequence[Event]) -> None:
        try:
            for event in events:
                if self._over:
                    return
                match event:
                    case Frame(text=text):
                        await self._send(json.loads(text))
                    case Close(code=code, reason=reason):
                        self._over = True
                        await self._close(int(code), reason)
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
