"""What clients give us: ids and texts that may be anything."""

import re

LARGEST = 2**63 - 1
"""The largest primary key that both databases can hold."""


def parse_id(text: str) -> int | None:
    """Return the primary key that a GraphQL ID stands for, None if it cannot be one."""
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text):
        return None
    pk = int(text)
    return pk if pk <= LARGEST else None


def is_storable(text: str) -> bool:
    """Tell whether both databases can hold, and look for, a text.

    PostgreSQL has no NUL, and neither takes half a surrogate pair, which JSON allows.
    """
    return re.search("[\x00\ud800-\udfff]", text) is None
