"""Errors of the engine.

RealtimeError
├── CursorExpiredError    the log cannot be replayed whole from the asked position
├── CursorInvalidError    what the client gave as a cursor is none
├── TopicNameError        what a field named as a topic cannot be one
├── LoadError             a live field could not load what it shows
├── UnauthenticatedError  nobody is logged in, or the login is over
├── UnavailableError      the database cannot be reached
├── ForbiddenError        the user who is asking may not have it, or no longer
├── TooManyConnectionsError  of a user, or of those who have not logged in
├── ResultTooLargeError   the result of an operation, or of an event, has too many bytes
├── TooManyRunningError   a client has as many operations executed as it may
├── TooMuchUnreadError    a client has not read the results of its earlier operations
├── RateLimitedError      more was asked for than in that time
├── BusyError             too many wait already for what the client asks
├── MissingFromScopeError  a resolver asks the ASGI scope for what no middleware has put there
└── ForeignDatabaseError  a published model was written to a database that has not the log
"""

from math import ceil

from graphql import GraphQLError

from realtime.protocols.error_codes import ErrorCode


class RealtimeError(Exception):
    """Base of everything that the engine raises on purpose."""


class CursorExpiredError(RealtimeError, GraphQLError):
    """Refuse to replay part of a log: refetch the state, then subscribe afresh."""

    def __init__(self, topic: str) -> None:
        GraphQLError.__init__(
            self,
            f"The log of {topic!r} cannot be replayed from this cursor: it was cut or rebuilt, or "
            "the cursor is another's. Fetch the current state, then subscribe afresh.",
            extensions={"code": ErrorCode.CURSOR_EXPIRED},
        )


class CursorInvalidError(RealtimeError, GraphQLError):
    """Refuse what is no cursor, or a cursor for what has none."""

    def __init__(self, reason: str = "This is no cursor: give one as it was received.") -> None:
        GraphQLError.__init__(self, reason, extensions={"code": ErrorCode.CURSOR_INVALID})


class TopicNameError(RealtimeError, GraphQLError):
    """Refuse a name that no topic can have: it is made of what a client has sent."""

    def __init__(self) -> None:
        GraphQLError.__init__(
            self,
            "This names no topic: names are text of 1 to 200 characters, without NUL.",
            extensions={"code": ErrorCode.BAD_USER_INPUT},
        )


class LoadError(RealtimeError, GraphQLError):
    """Say that the values of a live field could not be loaded; the log has more under the id."""

    def __init__(self, id: str) -> None:
        GraphQLError.__init__(
            self,
            "Internal server error",
            extensions={"code": ErrorCode.INTERNAL_SERVER_ERROR, "id": id},
        )


class UnauthenticatedError(RealtimeError, GraphQLError):
    """Refuse what only a user who is logged in may have."""

    def __init__(self, reason: str = "Your session is over: log in again.") -> None:
        GraphQLError.__init__(self, reason, extensions={"code": ErrorCode.UNAUTHENTICATED})


class UnavailableError(RealtimeError, GraphQLError):
    """Say that the database cannot be reached; the client may ask again."""

    def __init__(self) -> None:
        GraphQLError.__init__(
            self,
            "The database cannot be reached. Try again later.",
            extensions={"code": ErrorCode.UNAVAILABLE},
        )


class ForbiddenError(RealtimeError, GraphQLError):
    """Refuse what the user who is logged in may not have, or no longer."""

    def __init__(self, reason: str) -> None:
        GraphQLError.__init__(self, reason, extensions={"code": ErrorCode.FORBIDDEN})


class TooManyConnectionsError(RealtimeError, GraphQLError):
    """Refuse one more connection of a user, or of those who have not logged in."""

    def __init__(self, limit: int) -> None:
        GraphQLError.__init__(
            self,
            f"There may be {limit} connections at once: close another.",
            extensions={"code": ErrorCode.TOO_MANY_CONNECTIONS, "limit": limit},
        )


class ResultTooLargeError(RealtimeError, GraphQLError):
    """Refuse to send a result: the client asked for too much at once."""

    def __init__(self, limit: int) -> None:
        GraphQLError.__init__(
            self,
            f"The result has more than {limit:,} bytes: ask for less at once.",
            extensions={"code": ErrorCode.RESULT_TOO_LARGE, "limit": limit},
        )


class TooManyRunningError(RealtimeError, GraphQLError):
    """Refuse to execute an operation that has waited for others of its client for too long."""

    def __init__(self, limit: int) -> None:
        GraphQLError.__init__(
            self,
            f"There may be {limit} operations executed at once: try again later.",
            extensions={"code": ErrorCode.TOO_MANY_OPERATIONS, "limit": limit},
        )


class TooMuchUnreadError(RealtimeError, GraphQLError):
    """Refuse an operation of a client that does not read what it has asked for."""

    def __init__(self) -> None:
        GraphQLError.__init__(
            self,
            "Earlier results have not been read: try again when they have.",
            extensions={"code": ErrorCode.TOO_MUCH_UNREAD},
        )


class RateLimitedError(RealtimeError, GraphQLError):
    """Refuse an operation, or something else, that comes too early."""

    def __init__(self, rate: float, early: float, what: str = "operations") -> None:
        self.retry_after = ceil(early)
        GraphQLError.__init__(
            self,
            f"There may be {rate:g} {what} a second: try again in {self.retry_after} s.",
            extensions={
                "code": ErrorCode.RATE_LIMITED,
                "limit": rate,
                "retryAfter": self.retry_after,
            },
        )


class BusyError(RealtimeError, GraphQLError):
    """Refuse what costs much while too many wait for the same."""

    def __init__(self) -> None:
        self.retry_after = 1
        GraphQLError.__init__(
            self,
            f"Too many clients ask for this at once: try again in {self.retry_after} s.",
            extensions={"code": ErrorCode.UNAVAILABLE, "retryAfter": self.retry_after},
        )


class MissingFromScopeError(RealtimeError, KeyError):
    """Say which middleware would have put a key into the ASGI scope."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"There is no {key!r} in the ASGI scope: put ViewerMiddleware of "
            "realtime.authentication around the application, as in "
            'path("graphql/", ViewerMiddleware(graphql_app(schema))).'
        )

    __str__ = Exception.__str__  # a KeyError would show the repr


class ForeignDatabaseError(RealtimeError):
    """Refuse to publish a change from a database other than the log's: it could not be atomic."""

    def __init__(self, *, using: str, log: str) -> None:
        super().__init__(
            f"Published models are written to the database of the log, {log!r}, not {using!r}."
        )
