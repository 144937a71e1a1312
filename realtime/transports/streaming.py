"""Results over an HTTP response that stays open; what SSE and multipart have in common."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Protocol, Self

from ariadne.asgi.handlers import GraphQLHTTPHandler
from ariadne.asgi.handlers.base import GraphQLHttpHandlerBase
from ariadne.subscription_handlers import SubscriptionHandler
from graphql import OperationType
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from realtime import tasks
from realtime.conf import get_settings
from realtime.encoding import encoded_text
from realtime.errors import RequestError, fault, reported
from realtime.exceptions import TooManyConnectionsError
from realtime.execution import Results, Single, begin, operation_type
from realtime.protocols.error_codes import ErrorCode
from realtime.stream import Stream
from realtime.transports.bodies import send_body
from realtime.transports.negotiation import PRIVATE
from realtime.transports.refusal import RefusedError
from realtime.viewer import KEY as VIEWER
from realtime.viewer import Viewer

HEADERS = {"Cache-Control": f"{PRIVATE}, no-transform", "X-Accel-Buffering": "no"}
"""No cache, no compression and no proxy may hold a result back."""


class Outcomes:
    """The results of an operation, as JSON; one that cannot begin has one of `errors` alone.

    Raises RequestError where its stream breaks by a fault of ours.
    """

    def __init__(self, results: Results) -> None:
        self._results = results
        self._have_ended = False

    @property
    def cursor(self) -> str | None:
        """Where a client stands that has got what came so far."""
        return self._results.cursor if isinstance(self._results, Stream) else None

    @property
    def are_live(self) -> bool:
        """Whether they are those of a subscription that receives its events."""
        return isinstance(self._results, Stream)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        if self._have_ended:
            raise StopAsyncIteration
        try:
            return await anext(self._results)
        except RequestError as error:
            self._have_ended = True
            if error.is_fault:
                raise
            return encoded_text({"errors": error.errors})

    async def aclose(self) -> None:
        """End the operation. Idempotent."""
        await self._results.aclose()


Begin = Callable[[], Awaitable[Outcomes]]


async def outcomes(
    handler: GraphQLHttpHandlerBase, request: Request, data: dict[str, Any], context: Any
) -> Outcomes:
    """Begin an operation, and return its outcomes; a subscription is live then."""
    try:
        return Outcomes(await begin(handler, request, data, context))
    except RequestError as error:
        return Outcomes(_broken(error)) if error.is_outage else refusal(error.errors)
    except Exception as error:
        return refusal(reported(handler, [fault(error)]))


async def _broken(error: RequestError) -> AsyncGenerator[str, None]:
    raise error
    yield


def refusal(errors: list[dict[str, Any]]) -> Outcomes:
    """Return the outcomes of an operation that does not begin."""
    return Outcomes(Single(encoded_text({"errors": errors})))


class Chunks(Protocol):
    """What a StreamedResponse sends, and ends."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None:
        """Free what is held. Idempotent."""


class Framed:
    """Outcomes as chunks; they end together, be it that no chunk was ever asked for."""

    def __init__(
        self, outcomes: Outcomes, frame: Callable[[Outcomes], AsyncGenerator[bytes, None]]
    ) -> None:
        self._outcomes = outcomes
        self._chunks = frame(outcomes)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        """End the operation. Idempotent."""
        try:
            await self._chunks.aclose()
        finally:
            await self._outcomes.aclose()  # which a generator that never began does not


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
    ) -> None:
        self._begin = begin
        self._heartbeat = heartbeat
        self._started = False
        self.media_type = media_type
        self.status_code = 200
        self.background = None
        self.init_headers(HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        viewer: Viewer | None = scope.get(VIEWER)
        if viewer is None:
            await self._serve(scope, receive, send)
            return
        try:
            async with viewer.connected(is_let_in=True):
                await self._serve(scope, receive, send)
        except TooManyConnectionsError as error:
            refused = RefusedError.because(429, error, {"Retry-After": "10"})
            await _refuse(refused, scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        streaming = asyncio.create_task(self._stream(send), name="stream")
        watching = asyncio.create_task(_left(receive), name="stream-client")
        _open.add(streaming)
        if _ending:
            streaming.cancel()
        try:
            await asyncio.wait({streaming, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone = watching.done()
            _open.discard(streaming)
            await tasks.end({streaming, watching})
        if not gone and streaming.cancelled():
            await self._break_off(scope, receive, send)
        elif not streaming.cancelled():
            try:
                streaming.result()
            except RefusedError as error:
                await _refuse(error, scope, receive, send)
            except (OSError, TimeoutError):
                pass  # the client has gone, or does not read

    async def _stream(self, send: Send) -> None:
        settings = get_settings()
        sending = asyncio.Lock()

        async def write(body: bytes, *, more: bool = True) -> None:
            async with sending:
                await send_body(send, body, more=more)

        async def beat() -> None:
            while True:
                await asyncio.sleep(settings.stream_heartbeat)
                await write(self._heartbeat)

        async with aclosing(await self._begin()) as chunks:
            self._started = True
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            beating = asyncio.create_task(beat(), name="stream-heartbeat")
            try:
                async for chunk in chunks:
                    await write(chunk)
            finally:
                await tasks.end({beating})
            await write(b"", more=False)

    async def _break_off(self, scope: Scope, receive: Receive, send: Send) -> None:
        """End a stream that has not ended by itself; its client is to ask again."""
        if not self._started:
            later = {"Retry-After": "1"}
            refused = RefusedError(503, "Try again later", later, code=ErrorCode.UNAVAILABLE)
            await _refuse(refused, scope, receive, send)
            return
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(tasks.PATIENCE):
                await send({"type": "http.response.body", "body": b""})


async def _refuse(refused: RefusedError, scope: Scope, receive: Receive, send: Send) -> None:
    await refused.response(Headers(scope=scope).get("accept"))(scope, receive, send)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


_open: set[asyncio.Task[None]] = set()
_ending = False


def open_streams() -> int:
    """Count the responses of this process that stream."""
    return len(_open)


def end_streams() -> None:
    """End all streams of the process as a broken network would, also those that come yet."""
    global _ending
    _ending = True
    for task in _open:
        task.cancel()


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
