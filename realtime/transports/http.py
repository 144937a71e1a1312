"""GraphQL over HTTP, as an Ariadne handler.

Source: the GraphQL-over-HTTP draft, and the audits of the graphql-http library.
"""

from collections.abc import Collection, Sequence
from typing import Any, get_args

from ariadne.asgi.handlers import GraphQLHTTPHandler
from ariadne.subscription_handlers import SubscriptionHandler
from ariadne.types import Extensions, Middlewares
from graphql import MiddlewareManager, OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from realtime.allowance import LARGE, Executing, Held
from realtime.database import on
from realtime.encoding import encoded
from realtime.errors import reported
from realtime.exceptions import (
    RateLimitedError,
    ResultTooLargeError,
    TooManyRunningError,
    TooMuchUnreadError,
)
from realtime.execution import is_request_error, operation_type, resolved, threads_of
from realtime.rates import asker_in, count_operation
from realtime.result_size import encoded_result
from realtime.transports import parameters, reservations
from realtime.transports.bodies import LargeResponse
from realtime.transports.multipart import MultipartSubscriptions
from realtime.transports.negotiation import (
    EVENT_STREAM,
    HTML,
    JSON,
    PRIVATE,
    RESPONSE,
    VARY,
    preferred,
)
from realtime.transports.origins import CrossOrigin, Origins
from realtime.transports.refusal import RefusedError
from realtime.transports.reservations import Reservations
from realtime.transports.scope import explaining
from realtime.transports.sse import ServerSentEvents
from realtime.transports.status_codes import StatusCodes, status_of
from realtime.transports.streaming import StreamHandler

ALLOWED = "GET, POST, PUT, DELETE, OPTIONS"

RAW_VARY = (b"vary", VARY["Vary"].encode())
"""The header as it is in an answer."""


class HTTPHandler(GraphQLHTTPHandler):
    """Serves operations by GET and POST, as JSON or as a stream, and the explorer to browsers.

    Streams are server-sent events, with one connection an operation or one for all,
    and Apollo's multipart subscriptions. PUT and DELETE belong to the one for all.
    Pages of `allowed_origins` may ask with the user's cookies, and read the answers: they
    get CORS headers.

    `status_codes` are those that the audits of graphql-http want, or those of the draft of
    August 2026: docs/errors.md.
    """

    def __init__(
        self,
        extensions: Extensions | None = None,
        middleware: Middlewares | None = None,
        middleware_manager_class: type[MiddlewareManager] | None = None,
        subscription_handlers: Sequence[SubscriptionHandler] | None = None,
        *,
        allowed_origins: Collection[str] | Origins = (),
        status_codes: StatusCodes = "audits",
    ) -> None:
        if status_codes not in get_args(StatusCodes):
            raise ValueError(
                f"status_codes is one of {get_args(StatusCodes)}, not {status_codes!r}"
            )
        if subscription_handlers is None:
            subscription_handlers = [ServerSentEvents(), MultipartSubscriptions()]
        super().__init__(
            extensions, middleware, middleware_manager_class, list(subscription_handlers)
        )
        for handler in self.subscription_handlers:
            if isinstance(handler, StreamHandler):
                handler.http_handler = self
        self._origins = Origins.of(allowed_origins)
        self._cross_origin = self.readable(super().handle)
        self._status_codes: StatusCodes = status_codes
        self._reservations = Reservations()
        self._streams_events = any(
            isinstance(handler, ServerSentEvents) for handler in self.subscription_handlers
        )

    def readable(self, app: ASGIApp) -> ASGIApp:
        """Return an application whose answers pages of allowed origins may read."""
        return CrossOrigin(app, self._origins)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, with the CORS headers of its answer; Ariadne calls it."""
        scope = explaining(scope)
        for name, _ in scope["headers"]:  # quicker than Starlette's Headers, for each request
            if name == b"origin":
                await self._cross_origin(scope, receive, send)
                return
        await super().handle(scope, receive, send)

    async def handle_request(self, request: Request) -> Response:
        """Answer one request."""
        response = await self._answer(request)
        _vary(response)
        if request.method == "GET":
            _keep_private(request, response)
        return response

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(headers={"Allow": ALLOWED})
        accept = request.headers.get("accept")
        wants_page = preferred(accept, (JSON, RESPONSE, EVENT_STREAM, HTML)) == HTML
        if request.method == "GET" and wants_page and self.introspection and self.explorer:
            return await self.render_explorer(request, self.explorer)
        media_type = preferred(accept, (JSON, RESPONSE))
        try:
            parameters.refuse_many(request)
            parameters.refuse_foreign(request, self._origins)
            match request.method:
                case "PUT" if self._streams_events:
                    _count(request)
                    return self._reservations.reserve(asker_in(request.scope))
                case "DELETE" if self._streams_events:
                    return await self._reservations.end(request)
                case "GET" | "POST" if self._streams_events and reservations.token_of(request):
                    return await self._serve_reserved(request)
                case "GET" | "POST":
                    return await self._serve(request, media_type)
            allowed = ALLOWED if self._streams_events else "GET, POST, OPTIONS"
            raise RefusedError(405, f"{request.method} is not allowed", {"Allow": allowed})
        except RefusedError as error:
            return error.response(accept, by_draft=self._status_codes != "audits")

    async def extract_data_from_request(self, request: Request) -> dict[str, Any]:
        """Return the parameters of the operation. Raises RefusedError."""
        _count(request)
        data = parameters.checked(await parameters.read(request))
        data = await resolved(self.query_parser, data)
        if request.method == "GET":
            kind = operation_type(self.query_parser, data)
            if kind is OperationType.MUTATION:
                raise RefusedError(405, "Send a mutation by POST", {"Allow": "POST, OPTIONS"})
        return data

    async def _serve(self, request: Request, media_type: str | None) -> Response:
        if request.method == "GET":
            parameters.refuse_forgery(request, self._origins)
        data = await self.extract_data_from_request(request)
        for handler in self.subscription_handlers:
            if handler.supports(request, data):
                return await self._stream(handler, request, data)
        kind = operation_type(self.query_parser, data)
        if kind is OperationType.SUBSCRIPTION:
            raise RefusedError(
                406, f"Accept {EVENT_STREAM} or multipart/mixed;subscriptionSpec=1.0"
            )
        if media_type is None:
            raise RefusedError(406, f"Accept {RESPONSE}, {JSON} or {EVENT_STREAM}")
        try:
            async with Executing(asker_in(request.scope)) as held:
                with on(threads_of(kind)):
                    _, result = await self.execute_graphql_query(request, data)
                return self._respond(request, result, media_type, held)
        except (TooManyRunningError, TooMuchUnreadError) as error:
            raise RefusedError.because(429, error, {"Retry-After": "1"}) from None

    def _respond(self, request: Request, result: Any, media_type: str, held: Held) -> Response:
        if is_failed := is_request_error(result):
            result.pop("data", None)
        try:
            body = encoded_result(result)
        except ResultTooLargeError as error:
            result, is_failed = {"errors": reported(self, [error])}, True
            body = encoded(result)
        status = status_of(
            result,
            media_type=media_type,
            method=request.method,
            status_codes=self._status_codes,
            is_request_error=is_failed,
        )
        held.settle(len(body))
        if len(body) <= LARGE:
            return Response(body, status, media_type=media_type)
        response = LargeResponse(body, status, media_type=media_type)
        response.held = held
        return response

    async def _stream(
        self, handler: SubscriptionHandler, request: Request, data: dict[str, Any]
    ) -> Response:
        assert self.schema is not None, "Ariadne's GraphQL configures the handler"
        return await handler.handle(
            request,
            data,
            schema=self.schema,
            context_value=await self.get_context_for_request(request, data),
            root_value=self.root_value,
            query_parser=self.query_parser,
            query_validator=self.query_validator,
            validation_rules=self.validation_rules,
            debug=self.debug,
            introspection=self.introspection,
            logger=self.logger,
            error_formatter=self.error_formatter,
        )

    async def _serve_reserved(self, request: Request) -> Response:
        if preferred(request.headers.get("accept"), (JSON, EVENT_STREAM)) == EVENT_STREAM:
            return self._reservations.open(request)
        if request.method == "GET" and reservations.HEADER not in request.headers:
            # Whoever made the token would get, on the stream, what the cookies' owner may see.
            parameters.refuse_forgery(request, self._origins)
        return await self._reservations.operate(
            self, request, await self.extract_data_from_request(request)
        )


def _keep_private(request: Request, response: Response) -> None:
    """Have no cache keep an answer that may depend on who asks."""
    headers = request.headers
    if "cookie" in headers or "authorization" in headers:
        response.headers.setdefault("Cache-Control", PRIVATE)


def _count(request: Request) -> None:
    """Count a request as an operation. Raises RefusedError."""
    try:
        count_operation(request.scope)
    except RateLimitedError as error:
        later = {"Retry-After": str(error.retry_after)}
        raise RefusedError.because(429, error, later) from None


def _vary(response: Response) -> None:
    """Say what an answer depends on, beside what it says so itself."""
    headers = response.raw_headers
    if RAW_VARY in headers:
        return
    for name, _ in headers:
        if name == b"vary":
            response.headers.add_vary_header(VARY["Vary"])
            return
    headers.append(RAW_VARY)
