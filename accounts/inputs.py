"""What clients give us: ids and texts that may be anything."""

import re

from django.core.exceptions import ValidationError
from graphql import GraphQLError

from realtime.protocols.error_codes import ErrorCode

LARGEST = 2**63 - 1
"""The largest primary key that both databases can hold."""


def parse_id(text: str) -> int | None:
    """Return the primary key that a GraphQL ID stands for, None if it cannot be one."""
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text):
        return None
    pk = int(text)
    return pk if pk <= LARGEST else None


def bad_input(error: ValidationError) -> GraphQLError:
    """Return what a client is told of a value that cannot be."""
    return GraphQLError(error.messages[0], extensions={"code": ErrorCode.BAD_USER_INPUT})


def is_storable(text: str) -> bool:
    """Tell whether both databases can hold, and look for, a text.

    PostgreSQL has no NUL, and neither takes half a surrogate pair, which JSON allows.
    """
    return re.search("[\x00\ud800-\udfff]", text) is None
