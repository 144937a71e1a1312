"""Both protocols for people who bring their own socket."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, Protocol

from realtime.protocols.close_codes import Close
from realtime.protocols.driver import Driver, Outgoing, Send, Stream
from realtime.protocols.error_codes import ErrorCode
from realtime.protocols.events import Complete, ConnectionInit, Event, Subscribe
from realtime.protocols.registry import DIALECTS
from realtime.protocols.stream import RunningOperation


class SubscribeCallable(Protocol):
    """Begin an operation: an async generator function, or a coroutine function returning one."""

    def __call__(
        self, *, query: str, variables: dict[str, Any] | None, operation_name: str | None
    ) -> Stream | Awaitable[Stream]:
        """Return the results, each a JSON-able dict such as `{"data": …}`."""


class GraphQLConnection(Driver):
    """The server's side of one connection, in either dialect; callables do its I/O.

        async def subscribe(query, variables, operation_name):
            yield {"data": {"hello": "world"}}

        connection = GraphQLConnection(send, close, subscribe, (ConnectionClosed,))
        async for message in socket:
            tasks.create_task(connection(message))  # trio: nursery.start_soon(connection, message)
        await connection.stop()

    `send(message)` takes a dict, `close(code, reason)` an int and a text; one is never called
    before the other has returned. `raised_when_closed` are the exceptions by which they, or
    the loop by cancelling, say that the socket is gone.

    Clients are acknowledged at once; who may connect is decided before. There are no
    keep-alives. Exceptions of `subscribe` and of its results are logged and masked, any other
    of `send` or `close` is raised.
    """

    MASKED = json.dumps(
        [
            {
                "message": "Internal server error",
                "extensions": {"code": ErrorCode.INTERNAL_SERVER_ERROR},
            }
        ]
    )

    def __init__(
        self,
        send: Send,
        close: Callable[[int, str], Awaitable[object]],
        subscribe: SubscribeCallable,
        raised_when_closed: Collection[type[BaseException]] = (),
        *,
        subprotocol: str = "graphql-transport-ws",
    ) -> None:
        dialects = {dialect.SUBPROTOCOL: dialect for dialect in DIALECTS}
        if subprotocol not in dialects:
            raise ValueError(f"subprotocol must be one of {list(dialects)}, not {subprotocol!r}")
        super().__init__(dialects[subprotocol](keep_alive=False), send, raised_when_closed)
        self.name = subprotocol
        self._close = close
        self._subscribe = subscribe

    async def _handle(self, events: Sequence[Event]) -> None:
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
                await self._run(RunningOperation(id, begin, _encoded))
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

    async def _shut(self, close: Close) -> None:
        await self._close(int(close.code), close.reason)

    def _messages(self, operation: RunningOperation, result: Any) -> Sequence[Outgoing]:
        return self._machine.next(operation.id, result)


def _encoded(result: Any) -> str:
    return json.dumps(result, allow_nan=False)


async def _unregistered() -> AsyncGenerator[Any, None]:
    """Answer a client that names a document by its hash: none is registered here."""
    code = {"code": ErrorCode.PERSISTED_QUERY_NOT_FOUND}
    yield {"errors": [{"message": "PersistedQueryNotFound", "extensions": code}]}
