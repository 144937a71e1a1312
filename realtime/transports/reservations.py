"""Server-sent events: one connection for all operations of a client.

Source: "single connection mode" in PROTOCOL.md of the graphql-sse library.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from secrets import token_urlsafe
from typing import Any, Self
from weakref import WeakSet

from ariadne.asgi.handlers.base import GraphQLHttpHandlerBase
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from realtime import tasks
from realtime.allowance import LARGE
from realtime.conf import get_settings
from realtime.errors import RequestError
from realtime.open_operations import OpenOperations
from realtime.protocols.error_codes import ErrorCode
from realtime.protocols.operation import too_many
from realtime.rates import is_user
from realtime.transports.refusal import RefusedError
from realtime.transports.sse import COMMENT, event_stream, events
from realtime.transports.streaming import Begin, Outcomes, outcomes, refusal

HEADER = "x-graphql-event-stream-token"
PARAMETER = "token"

MAX_UNOPENED = 1_000
"""Reservations that wait for their stream; for one more the oldest makes way."""

MAX_UNOPENED_OF_ONE = 100
"""Those of one user, or of one address."""

OPEN_TIMEOUT = 10.0
"""Seconds a client has to open the stream that it reserved."""

MAX_ID = 256
"""Characters of an operation's id, which goes out with each of its events."""

MAX_WAITING = 100
"""Events that wait for the client to take them; beyond, operations wait."""


Waiting = tuple[asyncio.Task[None] | None, bytes, asyncio.Future[None] | None]


def token_of(request: Request) -> str | None:
    """Return the token of the stream that a request speaks of.

    In the address it may be a stranger's, which a page has put there.
    """
    return request.headers.get(HEADER) or request.query_params.get(PARAMETER)


class Reservations:
    """The streams of one process, by their tokens. A token is a secret of its client.

    Requests of one client must reach the same process.
    """

    def __init__(self) -> None:
        self._streams: dict[str, EventStream] = {}

    def reserve(self, asker: Hashable) -> Response:
        """Answer a PUT: the body is the token. Raises RefusedError."""
        unopened = [stream for stream in self._streams.values() if not stream.is_open]
        own = [stream for stream in unopened if stream.asker == asker]
        if len(own) >= MAX_UNOPENED_OF_ONE:
            own[0].make_way()
        elif len(unopened) >= MAX_UNOPENED:
            self._oldest_for(asker, unopened).make_way()
        token = token_urlsafe(32)
        self._streams[token] = EventStream(self, token, asker)
        return PlainTextResponse(token, 201)

    def open(self, request: Request) -> Response:
        """Answer who asks for the stream itself. Raises RefusedError."""
        stream = self._stream(request)
        if stream.is_open:
            raise RefusedError(409, "Stream already open")
        return event_stream(stream.open())

    async def operate(
        self,
        handler: GraphQLHttpHandlerBase,
        request: Request,
        data: dict[str, Any],
    ) -> Response:
        """Begin an operation, whose results go to the stream. Raises RefusedError."""
        stream = self._stream(request)
        id = (data.get("extensions") or {}).get("operationId")
        if not isinstance(id, str) or not id:
            raise RefusedError(400, "Operation ID is missing")
        if len(id) > MAX_ID:
            raise RefusedError(400, f"An operation ID may have {MAX_ID} characters")
        context = await handler.get_context_for_request(request, data)
        await stream.begin(id, partial(outcomes, handler, request, data, context))
        return Response(status_code=202)

    async def end(self, request: Request) -> Response:
        """Answer a DELETE: end an operation. Idempotent. Raises RefusedError."""
        stream = self._stream(request)
        id = request.query_params.get("operationId")
        if not id:
            raise RefusedError(400, "Operation ID is missing")
        await stream.end(id)
        return Response(status_code=200)

    def forget(self, token: str) -> None:
        """Free a token. Idempotent."""
        self._streams.pop(token, None)

    def _oldest_for(self, asker: Hashable, unopened: "Sequence[EventStream]") -> "EventStream":
        """Return who makes way: of those without a login, and only for users of users."""
        for stream in unopened:
            if not is_user(stream.asker):
                return stream
        if is_user(asker):
            return unopened[0]
        later = {"Retry-After": "10"}
        raise RefusedError(503, "Too many streams are reserved", later, code=ErrorCode.UNAVAILABLE)

    def _stream(self, request: Request) -> "EventStream":
        stream = self._streams.get(token_of(request) or "")
        if stream is None:
            raise RefusedError(404, "Stream not found")
        return stream


class EventStream:
    """The events of all operations of one client; its response ends it with `aclose()`."""

    def __init__(self, reservations: Reservations, token: str, asker: Hashable) -> None:
        self.asker = asker
        self.is_open = False
        self._closed = False
        self._reservations = reservations
        self._token = token
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._limit = get_settings().max_operations
        self._open_operations = OpenOperations(self._limit)
        self._ended: WeakSet[asyncio.Task[None]] = WeakSet()
        self._makes_way = asyncio.Event()
        self._waiting: asyncio.Queue[Waiting] = asyncio.Queue(MAX_WAITING)
        self._waiting.put_nowait((None, COMMENT, None))
        self._taken: asyncio.Future[None] | None = None
        """Tells who has sent a large event that the client has taken it."""
        self._expiry = asyncio.create_task(self._expire(), name="event-stream expiry")

    def make_way(self) -> None:
        """End before it was opened: another has the place."""
        self._closed = True
        self._reservations.forget(self._token)
        self._makes_way.set()

    def open(self) -> Callable[[], Awaitable[Self]]:
        """Return what begins it, for the response that is its owner from then on."""

        async def begin() -> Self:
            if self.is_open or self._closed:  # since it was asked for
                raise RefusedError(409, "Stream already open")
            self.is_open = True
            self._expiry.cancel()
            return self

        return begin

    async def begin(self, id: str, begin: Begin) -> None:
        """Return when an operation has its result, or is live. Raises RefusedError."""
        if self._closed:  # while the context was made
            raise RefusedError(404, "Stream not found")
        if id in self._operations:
            raise RefusedError(409, "Operation with ID already exists")
        is_full = len(self._operations) >= 2 * self._limit  # as many may wait as are open
        begun = asyncio.Event()
        self._operations[id] = asyncio.create_task(
            self._operate(id, None if is_full else begin, begun), name=f"operation {id:.60}"
        )
        await begun.wait()

    async def end(self, id: str) -> None:
        """End an operation; return when it has ended. Idempotent."""
        if task := self._operations.pop(id, None):
            self._ended.add(task)
            self._open_operations.end(task)
            await tasks.end({task})

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._taken is not None and not self._taken.done():
                self._taken.set_result(None)
            task, chunk, self._taken = await self._waiting.get()
            if task not in self._ended:  # else nothing more of it, its id may be used again
                return chunk

    async def aclose(self) -> None:
        """End all operations, and free the token. Idempotent."""
        self._closed = True
        self._reservations.forget(self._token)
        running = {*self._operations.values(), self._expiry}
        await tasks.end(task for task in running if task is not asyncio.current_task())

    async def _operate(self, id: str, begin: Begin | None, begun: asyncio.Event) -> None:
        try:
            async with AsyncExitStack() as stack:
                results = await self._results(begin, stack)
                chunks = await stack.enter_async_context(aclosing(events(results, operation=id)))
                begun.set()
                async for chunk in chunks:
                    await self._send(chunk)
        finally:
            begun.set()
            if self._operations.get(id) is asyncio.current_task():
                del self._operations[id]

    async def _send(self, chunk: bytes) -> None:
        """Return when there is room for an event; of a large one, when the client has taken it."""
        taken = asyncio.get_running_loop().create_future() if len(chunk) > LARGE else None
        await self._waiting.put((asyncio.current_task(), chunk, taken))
        if taken is not None:
            await taken

    async def _results(self, begin: Begin | None, stack: AsyncExitStack) -> Outcomes:
        """Begin an operation when there is a place for it, which the stack frees.

        One that is refused is so by an event: clients take a refusal of the request for a
        broken network.
        """
        if begin is None:
            return refusal(too_many(self._limit))
        try:
            await stack.enter_async_context(self._open_operations)
        except RequestError as error:
            return refusal(error.errors)
        results = await begin()
        if results.are_live:
            self._open_operations.become_live()
        return results

    async def _expire(self) -> None:
        await tasks.in_time(self._makes_way.wait(), OPEN_TIMEOUT)
        await self.aclose()
