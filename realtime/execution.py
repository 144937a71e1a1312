"""One operation: its result, or its stream of results."""

import json
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from inspect import isawaitable
from typing import Any

import orjson
from ariadne.asgi.handlers import GraphQLWebsocketHandlerBase
from ariadne.graphql import parse_query, validate_data, validate_query
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

Result = dict[str, Any]
"""What one `next` bears: `data`, perhaps `errors` and `extensions`."""


class RequestError(Exception):
    """The operation could not begin, or its stream broke; holds formatted errors."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


def encoded(value: Any) -> bytes:
    """Return the JSON of a result or of formatted errors."""
    try:
        return orjson.dumps(value, default=str)
    except TypeError:  # half a surrogate pair, which UTF-8 has not but JSON can escape
        return json.dumps(value, default=str).encode()


def fault(error: Exception) -> GraphQLError:
    """Wrap an exception that nobody meant for clients."""
    return GraphQLError(str(error), original_error=error)


async def results(
    handler: GraphQLWebsocketHandlerBase, request: Any, data: dict[str, Any]
) -> AsyncGenerator[Result, None]:
    """Yield the results of one operation as the handler is configured to run it.

    One result for a query or mutation. With `extensions: {"confirm": true}` a
    subscription first yields `extensions.subscribed`, once every later event will
    reach it. Raises RequestError.
    """
    context = await handler.get_context_for_request(request, data)
    try:
        validate_data(data)
        document = parse_query(context, handler.query_parser, data)
    except GraphQLError as error:
        raise _refused(handler, [error]) from None
    operation = get_operation_ast(document, data.get("operationName"))
    if operation is not None and operation.operation is OperationType.SUBSCRIPTION:
        async with aclosing(_stream(handler, data, context, document)) as stream:
            async for result in stream:
                yield result
        return
    assert handler.http_handler is not None, "Ariadne's GraphQL configures the handler"
    _, result = await handler.http_handler.execute_graphql_query(
        request, data, context_value=context, query_document=document
    )
    if "data" not in result:
        raise RequestError(result["errors"])
    yield result


async def _stream(
    handler: GraphQLWebsocketHandlerBase,
    data: dict[str, Any],
    context: Any,
    document: DocumentNode,
) -> AsyncGenerator[Result, None]:
    executor, events = await _subscribe(handler, data, context, document)
    try:
        if (data.get("extensions") or {}).get("confirm") is True:
            yield {"data": None, "extensions": {"subscribed": True}}
        async with aclosing(map_source_to_response_event(executor, events)) as responses:
            async for response in responses:
                yield _result(handler, response)
    except GraphQLError as error:
        raise _refused(handler, [error]) from None
    except Exception as error:
        raise _refused(handler, [fault(error)]) from None
    finally:
        # A generator of responses that never started does not close its source.
        if hasattr(events, "aclose"):
            await events.aclose()


async def _subscribe(
    handler: GraphQLWebsocketHandlerBase,
    data: dict[str, Any],
    context: Any,
    document: DocumentNode,
) -> tuple[Executor[Any], AsyncIterable[Any]]:
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
    source = create_source_event_stream(executor)
    if isawaitable(source):
        source = await source
    if isinstance(source, ExecutionResult):
        raise _refused(handler, source.errors or [])
    return executor, source


def _result(handler: GraphQLWebsocketHandlerBase, response: ExecutionResult) -> Result:
    result: Result = {"data": response.data}
    if response.errors:
        result["errors"] = _formatted(handler, response.errors)
    return result


def _refused(handler: GraphQLWebsocketHandlerBase, errors: list[GraphQLError]) -> RequestError:
    return RequestError(_formatted(handler, errors))


def _formatted(
    handler: GraphQLWebsocketHandlerBase, errors: list[GraphQLError]
) -> list[dict[str, Any]]:
    return [handler.error_formatter(error, handler.debug) for error in errors]
