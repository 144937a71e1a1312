"""One operation: its result, or its stream of results."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from inspect import isawaitable
from typing import Any, Self

from ariadne.asgi.handlers.base import GraphQLHttpHandlerBase
from ariadne.graphql import parse_query, validate_data, validate_query
from ariadne.types import QueryParser
from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    GraphQLError,
    OperationType,
    create_source_event_stream,
    get_operation_ast,
)

from realtime.allowance import Executing, Held
from realtime.database import Threads, on
from realtime.documents import DocumentCache
from realtime.errors import RequestError, is_outage, reported
from realtime.exceptions import (
    CursorInvalidError,
    ResultTooLargeError,
    TooManyRunningError,
    TooMuchUnreadError,
)
from realtime.live import resuming
from realtime.live_results import LiveResults, operation_of
from realtime.live_stream import LiveStream
from realtime.protocols.error_codes import ErrorCode
from realtime.rates import asker_in
from realtime.result_size import encoded_result
from realtime.stream import SourceResults, Stream
from realtime.viewer import Viewer, viewer_of

Result = dict[str, Any]
"""`data`, perhaps `errors` and `extensions`."""


async def resolved(parser: QueryParser | None, data: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with the text of the document that they name. Idempotent."""
    return await parser.resolve(data) if isinstance(parser, DocumentCache) else data


def operation_type(parser: QueryParser | None, data: dict[str, Any]) -> OperationType | None:
    """Return the type of an operation, None where its document does not tell."""
    try:
        if isinstance(parser, DocumentCache):
            return parser.operation_type(data)
        document = parse_query(None, parser, data)
    except GraphQLError:
        return None  # executing says what is wrong
    operation = get_operation_ast(document, data.get("operationName"))
    return operation.operation if operation else None


def threads_of(type: OperationType | None) -> Threads:
    """Return the threads for an operation of a type."""
    return Threads.MUTATIONS if type is OperationType.MUTATION else Threads.QUERIES


class Single:
    """One result, as JSON. Its owner frees it with `aclose()`."""

    def __init__(self, result: str, held: Held | None = None) -> None:
        self._result: str | None = result
        self._held = held

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        if self._result is None:
            raise StopAsyncIteration
        result, self._result = self._result, None
        return result

    async def aclose(self) -> None:
        """Free what is held. Idempotent."""
        self._result = None
        if self._held is not None:
            self._held.free()


Results = Stream | Single | AsyncGenerator[str, None]
"""What an operation brings, as JSON: each is what one `next` bears.

An object of `data`, perhaps `errors` and `extensions`."""


async def begin(
    handler: GraphQLHttpHandlerBase,
    request: Any,
    data: dict[str, Any],
    context: Any,
    *,
    abort: Callable[[], object] | None = None,
) -> Results:
    """Start an operation as the handler is configured to run it; return its results.

    A query or mutation has been executed then, and has one. A subscription sees every
    later event; with `extensions: {"confirm": true}` its first result says so as
    `extensions.subscribed`, with `extensions.after`, a cursor, it begins there. Raises
    RequestError.

    `abort` stops sending a result to a client that does not read; by default the running task
    is cancelled.
    """
    data = await resolved(handler.query_parser, data)
    try:
        _check(data)
        document = parse_query(context, handler.query_parser, data)
        operation = get_operation_ast(document, data.get("operationName"))
        viewer = viewer_of(request)
        if operation is not None and operation.operation is OperationType.SUBSCRIPTION:
            if viewer is None:
                return await _subscribe(handler, data, context, document)
            return await _subscribe_as(viewer, handler, data, context, document)
        if viewer is not None:
            if operation is not None and operation.operation is OperationType.MUTATION:
                await viewer.catch_up()
            else:
                await viewer.clear()
    except GraphQLError as error:
        raise _refused(handler, [error]) from None
    try:
        async with Executing(asker_in(request.scope)) as held:
            with on(threads_of(operation.operation if operation else None)):
                _, result = await handler.execute_graphql_query(
                    request, data, context_value=context, query_document=document
                )
            if is_request_error(result):
                raise RequestError(result["errors"])
            text = encoded_result(result).decode()
            held.settle(len(text), abort or _cancel_task())
            return Single(text, held)
    except (ResultTooLargeError, TooManyRunningError, TooMuchUnreadError) as error:
        raise _refused(handler, [error]) from None


def _cancel_task() -> Callable[[], object]:
    task = asyncio.current_task()
    assert task is not None
    return task.cancel


def _check(data: dict[str, Any]) -> None:
    """Check the parameters. Raises GraphQLError."""
    try:
        validate_data(data)
    except GraphQLError as error:
        raise GraphQLError(error.message, extensions={"code": ErrorCode.BAD_REQUEST}) from None


def is_request_error(result: Result) -> bool:
    """Tell whether nothing was executed: no field is to blame for what is missing.

    Ariadne gives such results `data`, too, where it is variables or the name that are wrong.
    """
    return result.get("data") is None and not any(
        "path" in error for error in result.get("errors", ())
    )


async def _subscribe_as(
    viewer: Viewer,
    handler: GraphQLHttpHandlerBase,
    data: dict[str, Any],
    context: Any,
    document: DocumentNode,
) -> Stream:
    """Subscribe, and have the rights to it hold for as long as it lives."""
    viewer.hold()
    try:
        generation = await viewer.ready()
        stream = await _subscribe(handler, data, context, document)
    except BaseException:
        await viewer.release()
        raise
    stream.guard(viewer, generation)
    return stream


async def _subscribe(
    handler: GraphQLHttpHandlerBase,
    data: dict[str, Any],
    context: Any,
    document: DocumentNode,
) -> Stream:
    assert handler.schema is not None, "Ariadne's GraphQL configures the handler"
    variables, name = data.get("variables"), data.get("operationName")
    rules = handler.validation_rules
    if callable(rules):
        rules = rules(context, document, data)
    errors = validate_query(
        handler.schema,
        document,
        rules,
        enable_introspection=handler.introspection,
        query_validator=handler.query_validator,
    )
    if errors:
        raise _refused(handler, errors)
    root = handler.root_value
    if callable(root):
        root = root(context, name, variables, document)
        if isawaitable(root):
            root = await root
    executor_class = handler.execution_context_class or Executor
    executor = executor_class.build(
        handler.schema,
        document,
        root_value=root,
        context_value=context,
        raw_variable_values=variables,
        operation_name=name,
    )
    if isinstance(executor, list):
        raise _refused(handler, executor)
    extensions = data.get("extensions") or {}
    confirm = extensions.get("confirm") is True
    operation = operation_of(handler, document, executor, data)
    events = await _source(handler, executor, extensions.get("after"))
    if isinstance(events, LiveStream):
        return LiveResults(handler, executor, events, operation, confirm=confirm)
    return SourceResults(handler, executor, events, confirm=confirm)


async def _source(
    handler: GraphQLHttpHandlerBase, executor: Executor[Any], after: Any
) -> AsyncIterable[Any]:
    if not isinstance(after, str | None):
        raise CursorInvalidError
    token = resuming.set(after)
    try:
        source = create_source_event_stream(executor)
        if isawaitable(source):
            source = await source
    finally:
        resuming.reset(token)
    if isinstance(source, ExecutionResult):
        raise _refused(handler, source.errors or [])
    if after is not None and not (isinstance(source, LiveStream) and source.cursor):
        if hasattr(source, "aclose"):
            await source.aclose()
        raise CursorInvalidError("This subscription cannot be resumed: it has no cursors.")
    return source


def _refused(handler: GraphQLHttpHandlerBase, errors: list[GraphQLError]) -> RequestError:
    return RequestError(reported(handler, errors), is_outage=any(map(is_outage, errors)))
