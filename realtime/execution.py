"""One operation: its result, or its stream of results."""

import json
from collections.abc import AsyncGenerator, AsyncIterable
from inspect import isawaitable
from typing import Any, Self

import orjson
from ariadne.asgi.handlers.base import GraphQLHandlerBase, GraphQLHttpHandlerBase
from ariadne.graphql import parse_query, validate_data, validate_query
from ariadne.logger import log_error
from ariadne.types import QueryParser
from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    GraphQLError,
    OperationType,
    create_source_event_stream,
    get_operation_ast,
    map_source_to_response_event,
)

from realtime.exceptions import CursorInvalidError, LoadError
from realtime.live import LiveStream, resuming

Result = dict[str, Any]
"""What one `next` bears: `data`, perhaps `errors` and `extensions`."""


class RequestError(Exception):
    """The operation could not begin, or its stream broke; holds formatted errors.

    `is_fault` when the fault is ours, so that the client may well ask again.
    """

    def __init__(self, errors: list[dict[str, Any]], *, is_fault: bool = False) -> None:
        super().__init__(errors)
        self.errors = errors
        self.is_fault = is_fault


def encoded(value: Any) -> bytes:
    """Return the JSON of a result or of formatted errors."""
    try:
        return orjson.dumps(value, default=str)
    except TypeError:  # half a surrogate pair, which UTF-8 has not but JSON can escape
        return json.dumps(value, default=str).encode()


def fault(error: Exception) -> GraphQLError:
    """Wrap an exception that nobody meant for clients."""
    return GraphQLError(str(error), original_error=error)


def reported(handler: GraphQLHandlerBase, errors: list[GraphQLError]) -> list[dict[str, Any]]:
    """Log errors as the handler is configured to, and return what clients may see of them."""
    for error in errors:
        log_error(error, handler.logger)
    return [handler.error_formatter(error, handler.debug) for error in errors]


def operation_type(parser: QueryParser | None, data: dict[str, Any]) -> OperationType | None:
    """Return the type of an operation, None where its document does not tell."""
    try:
        document = parse_query(None, parser, data)
    except GraphQLError:
        return None  # executing says what is wrong
    operation = get_operation_ast(document, data.get("operationName"))
    return operation.operation if operation else None


class Stream:
    """The results of a subscription. Its owner ends it with `aclose()`.

    Raises RequestError where the source breaks.
    """

    def __init__(
        self,
        handler: GraphQLHttpHandlerBase,
        executor: Executor[Any],
        events: AsyncIterable[Any],
        *,
        confirm: bool,
    ) -> None:
        self._handler = handler
        self._events = events
        self._responses = map_source_to_response_event(executor, events)
        self._confirm = confirm

    @property
    def cursor(self) -> str | None:
        """Where the client stands: behind the result that came last; None without cursors."""
        return self._events.cursor if isinstance(self._events, LiveStream) else None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Result:
        if self._confirm:
            self._confirm = False
            return self._with_cursor({"data": None, "extensions": {"subscribed": True}})
        try:
            response = await anext(self._responses)
        except GraphQLError as error:
            errors = reported(self._handler, [error])
            raise RequestError(errors, is_fault=isinstance(error, LoadError)) from None
        except StopAsyncIteration:
            raise
        except Exception as error:
            errors = reported(self._handler, [fault(error)])
            raise RequestError(errors, is_fault=True) from None
        result: Result = {"data": response.data}
        if response.errors:
            result["errors"] = reported(self._handler, response.errors)
        return self._with_cursor(result)

    async def aclose(self) -> None:
        """End the subscription. Idempotent."""
        try:
            await self._responses.aclose()
        finally:
            # A generator of responses that never started does not close its source.
            await _close(self._events)

    def _with_cursor(self, result: Result) -> Result:
        # Responses are made one by one as they are asked for, so this is the cursor of this one.
        if cursor := self.cursor:
            result["extensions"] = {**result.get("extensions", {}), "cursor": cursor}
        return result


Results = Stream | AsyncGenerator[Result, None]


async def begin(
    handler: GraphQLHttpHandlerBase, request: Any, data: dict[str, Any], context: Any
) -> Results:
    """Start an operation as the handler is configured to run it; return its results.

    A query or mutation has been executed then, and has one. A subscription sees every
    later event; with `extensions: {"confirm": true}` its first result says so as
    `extensions.subscribed`, with `extensions.after`, a cursor, it begins there. Raises
    RequestError.
    """
    try:
        validate_data(data)
        document = parse_query(context, handler.query_parser, data)
        operation = get_operation_ast(document, data.get("operationName"))
        if operation is not None and operation.operation is OperationType.SUBSCRIPTION:
            return await _subscribe(handler, data, context, document)
    except GraphQLError as error:
        raise _refused(handler, [error]) from None
    _, result = await handler.execute_graphql_query(
        request, data, context_value=context, query_document=document
    )
    if is_request_error(result):
        raise RequestError(result["errors"])
    return single(result)


def is_request_error(result: Result) -> bool:
    """Tell whether nothing was executed: no field is to blame for what is missing.

    Ariadne gives such results `data`, too, where it is variables or the name that are wrong.
    """
    return result.get("data") is None and not any(
        "path" in error for error in result.get("errors", ())
    )


async def single(result: Result) -> AsyncGenerator[Result, None]:
    """Yield one result."""
    yield result


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
    executor = Executor.build(
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
    events = await _source(handler, executor, extensions.get("after"))
    return Stream(handler, executor, events, confirm=extensions.get("confirm") is True)


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
    if after is not None and not isinstance(source, LiveStream):
        await _close(source)
        raise CursorInvalidError("This subscription cannot be resumed: it has no cursors.")
    return source


async def _close(events: AsyncIterable[Any]) -> None:
    if hasattr(events, "aclose"):
        await events.aclose()


def _refused(handler: GraphQLHttpHandlerBase, errors: list[GraphQLError]) -> RequestError:
    return RequestError(reported(handler, errors))
