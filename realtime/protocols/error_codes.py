"""Codes of errors: what clients find as `extensions.code`. docs/errors.md lists them."""

from enum import StrEnum, auto


class ErrorCode(StrEnum):
    """Why an operation or a request failed; each value is the name itself.

    Apollo's names where Apollo has one.
    """

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name

    # Who is asking
    UNAUTHENTICATED = auto()
    FORBIDDEN = auto()
    ORIGIN_NOT_ALLOWED = auto()
    # The request
    BAD_REQUEST = auto()
    GRAPHQL_PARSE_FAILED = auto()
    GRAPHQL_VALIDATION_FAILED = auto()
    OPERATION_RESOLUTION_FAILURE = auto()
    BAD_USER_INPUT = auto()
    PERSISTED_QUERY_NOT_FOUND = auto()
    DOCUMENT_NOT_TRUSTED = auto()
    # Limits of an operation: the names of `realtime.limits.Limit`
    DOCUMENT_TOO_LARGE = auto()
    TOO_MANY_TOKENS = auto()
    DOCUMENT_TOO_DEEP = auto()
    TOO_MANY_ALIASES = auto()
    TOO_MANY_ROOT_FIELDS = auto()
    TOO_MANY_DIRECTIVES = auto()
    FRAGMENT_CYCLE = auto()
    TOO_COSTLY = auto()
    TOO_MANY_OVERLAPS = auto()
    LIST_TOO_LONG = auto()
    PAGE_TOO_LARGE = auto()
    VARIABLES_TOO_LARGE = auto()
    VARIABLES_TOO_DEEP = auto()
    RESULT_TOO_LARGE = auto()
    # Limits of a client
    TOO_MANY_OPERATIONS = auto()
    TOO_MUCH_UNREAD = auto()
    TOO_MANY_CONNECTIONS = auto()
    RATE_LIMITED = auto()
    # Cursors
    CURSOR_EXPIRED = auto()
    CURSOR_INVALID = auto()
    # The server
    UNAVAILABLE = auto()
    CONFLICT = auto()
    INTERNAL_SERVER_ERROR = auto()
