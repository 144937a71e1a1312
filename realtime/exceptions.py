"""Errors of the engine.

RealtimeError
└── CursorExpiredError    the log cannot be replayed whole from the asked position
"""

from graphql import GraphQLError


class RealtimeError(Exception):
    """Base of everything that the engine raises on purpose."""


class CursorExpiredError(RealtimeError, GraphQLError):
    """Refuse to replay part of a log: refetch the state, then subscribe afresh."""

    def __init__(self, topic: str) -> None:
        GraphQLError.__init__(
            self,
            f"The log of {topic!r} cannot be replayed from this position. "
            "Fetch the current state, then subscribe afresh.",
            extensions={"code": "CURSOR_EXPIRED"},
        )
