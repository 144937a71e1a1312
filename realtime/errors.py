"""What clients and the log learn of an error."""

import logging
from secrets import token_hex
from typing import Any

from ariadne import format_error, unwrap_graphql_error
from ariadne.asgi.handlers.base import GraphQLHandlerBase
from ariadne.logger import log_error
from django.core.exceptions import SynchronousOnlyOperation
from graphql import GraphQLError

from realtime import database
from realtime.protocols.error_codes import ErrorCode

logger = logging.getLogger("realtime.errors")

muted = logging.getLogger("realtime.muted")
muted.addFilter(lambda record: False)  # a level would be reset when logging is configured
"""For Ariadne, which would log each error a second time."""


def report_error(error: GraphQLError, debug: bool = False) -> dict[str, Any]:
    """Return an error as clients may see it; log it when it is a fault of ours.

    An Ariadne ErrorFormatter. An exception that no resolver raised as a GraphQLError
    is logged once, under an id that the client gets as `extensions.id`; outside debug
    it learns nothing else of it but whether to try again: see MESSAGES.
    """
    cause = unwrap_graphql_error(error)
    if cause is None or isinstance(cause, GraphQLError):
        return format_error(error, False)
    id = token_hex(8)
    code = _code(cause)
    # Without a traceback where the fault is not in the code, and many operations have it at once.
    is_bug = code is ErrorCode.INTERNAL_SERVER_ERROR
    logger.error(
        "%s %s%s",
        id,
        error.message.strip(),
        _advice(error, cause),
        exc_info=cause if is_bug else None,
    )
    formatted = format_error(error, debug)
    if not debug:
        formatted["message"] = MESSAGES[code]
    formatted["extensions"] = {**formatted.get("extensions", {}), "code": code, "id": id}
    return formatted


MESSAGES = {
    ErrorCode.INTERNAL_SERVER_ERROR: "Internal server error",
    ErrorCode.UNAVAILABLE: "The database cannot be reached. Try again later.",
    ErrorCode.CONFLICT: "Another transaction was in the way. Try again.",
}
"""What clients learn of an exception that no resolver raised as a GraphQLError, by its code."""


def _code(error: BaseException) -> ErrorCode:
    if database.is_conflict(error):
        return ErrorCode.CONFLICT
    if database.is_unreachable(error):
        return ErrorCode.UNAVAILABLE
    return ErrorCode.INTERNAL_SERVER_ERROR


def _advice(error: GraphQLError, cause: Exception) -> str:
    """Return what helps against an error whose own text does not say it, for the log."""
    if not isinstance(cause, SynchronousOnlyOperation):
        return ""
    names = [name for name in error.path or () if isinstance(name, str)]
    what = f"The field {'.'.join(names)!r}" if names else "A function of a field"
    return (
        f" {what} read the database on the event loop. Load what it needs beforehand: a relation "
        "with select_related or prefetch_related, in load(…) or where a query reads its objects. "
        "Or read it through realtime.database.in_database."
    )


class RequestError(Exception):
    """The operation could not begin, or its stream broke; holds formatted errors.

    `is_fault` when the fault is ours, so that the client may well ask again;
    `is_outage` when it is the database that is away.
    """

    def __init__(
        self, errors: list[dict[str, Any]], *, is_fault: bool = False, is_outage: bool = False
    ) -> None:
        super().__init__(errors)
        self.errors = errors
        self.is_fault = is_fault or is_outage
        self.is_outage = is_outage


def is_outage(error: Exception) -> bool:
    """Tell whether an error, or what a GraphQLError was raised for, is of the database."""
    cause = unwrap_graphql_error(error) if isinstance(error, GraphQLError) else error
    return database.is_outage(cause)


def fault(error: Exception) -> GraphQLError:
    """Wrap an exception that nobody meant for clients."""
    return GraphQLError(str(error), original_error=error)


def reported(handler: GraphQLHandlerBase, errors: list[GraphQLError]) -> list[dict[str, Any]]:
    """Log errors as the handler is configured to, and return what clients may see of them."""
    for error in errors:
        log_error(error, handler.logger)
    return [handler.error_formatter(error, handler.debug) for error in errors]
