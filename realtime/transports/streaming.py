"""Results over an HTTP response that stays open; what SSE and multipart have in common."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Protocol

import anyio
from ariadne.asgi.handlers import GraphQLHTTPHandler
from ariadne.asgi.handlers.base import GraphQLHttpHandlerBase
from ariadne.subscription_handlers import SubscriptionHandler
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from realtime.execution import RequestError, Result, Results, begin, fault, operation_type

HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
"""No cache, no compression and no proxy may hold a result back."""


Outcomes = AsyncGenerator[Result, None]
"""The results of an operation; one that cannot begin has one with `errors` and no `data`.

Raises RequestError where its stream breaks by a fault of ours.
"""


async def outcomes(
    handler: GraphQLHttpHandlerBase, request: Request, data: dict[str, Any], context: Any
) -> Outcomes:
    """Begin an operation, and return its outcomes; a subscription is live then."""
    try:
        results = await begin(handler, request, data, context)
    except Exception as error:
        return _single({"errors": _errors(handler, error)})
    return _guarded(results)


Begin = Callable[[], Awaitable[Outcomes]]


async def _guarded(results: Results) -> Outcomes:
    try:
        async with aclosing(results):
            async for result in results:
                yield result
    except RequestError as error:
        if error.is_fault:
            raise
        yield {"errors": error.errors}


async def _single(result: Result) -> Outcomes:
    yield result


def _errors(handler: GraphQLHttpHandlerBase, error: Exception) -> list[dict[str, Any]]:
    if isinstance(error, RequestError):
        return error.errors
    return [handler.error_formatter(fault(error), handler.debug)]


class Chunks(Protocol):
    """What a StreamedResponse sends, and ends."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None:
        """Free what is held. Idempotent."""


class StreamedResponse(Response):
    """Sends chunks as they come and heartbeats between, until they end or the client has gone.

    The status and the headers, and with them the cookies of a login, go out when the
    chunks have begun.
    """

    def __init__(
        self,
        begin: Callable[[], Awaitable[Chunks]],
        *,
        media_type: str,
        heartbeat: bytes,
        interval: float,
    ) -> None:
        self._begin = begin
        self._heartbeat = heartbeat
        self._interval = interval
        self.media_type = media_type
        self.status_code = 200
        self.background = None
        self.init_headers(HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        sending = anyio.Lock()
        started = False
        gone = False

        async def write(body: bytes, *, more: bool = True) -> None:
            message: Message = {"type": "http.response.body", "body": body, "more_body": more}
            async with sending:
                await send(message)

        async def beat() -> None:
            while True:
                await anyio.sleep(self._interval)
                await write(self._heartbeat)

        async def watch() -> None:
            nonlocal gone
            while (await receive())["type"] != "http.disconnect":
                pass
            gone = True
            group.cancel_scope.cancel()

        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        try:
            async with anyio.create_task_group() as group:
                _open.add(group.cancel_scope)
                group.start_soon(watch)
                async with aclosing(await self._begin()) as chunks:
                    await send(start)
                    started = True
                    group.start_soon(beat)
                    async for chunk in chunks:
                        await write(chunk)
                group.cancel_scope.cancel()
            if started and not gone:
                await write(b"", more=False)
            elif not gone:
                await Response(status_code=503)(scope, receive, send)
        except* OSError:
            pass  # the client has gone, and the server says so by an error
        finally:
            _open.discard(group.cancel_scope)


_open: set[anyio.CancelScope] = set()


def end_streams() -> None:
    """End all streams of the process as a broken network would: clients ask again."""
    for scope in list(_open):
        scope.cancel()


class StreamHandler(SubscriptionHandler):
    """An Ariadne SubscriptionHandler that also serves queries and mutations.

    Under our HTTPHandler they run as over JSON, under Ariadne's own without its
    extensions and middleware.
    """

    http_handler: GraphQLHttpHandlerBase | None = None

    async def handle(
        self, request: Request, data: dict[str, Any], *, context_value: Any, **configuration: Any
    ) -> Response:
        """Answer one request; Ariadne calls it."""
        handler = self.http_handler
        if handler is None:
            handler = GraphQLHTTPHandler()
            handler.configure(**configuration)
        data = self.prepare(request, data)
        return self.respond(partial(outcomes, handler, request, data, context_value))

    def prepare(self, request: Request, data: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters of the operation, with what the headers say of it."""
        return data

    @abstractmethod
    def respond(self, begin: Begin) -> Response:
        """Return the response that streams the outcomes of an operation."""

    def is_subscription(self, data: dict[str, Any]) -> bool:
        """Tell whether the operation is a subscription, so far as that can be told."""
        parser = self.http_handler.query_parser if self.http_handler else None
        return operation_type(parser, data) is OperationType.SUBSCRIPTION
