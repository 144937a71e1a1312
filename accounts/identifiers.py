"""Ids as clients give them."""

import re

LARGEST = 2**63 - 1
"""The largest primary key that both databases can hold."""


def parse_id(text: str) -> int | None:
    """Return the primary key that a GraphQL ID stands for, None if it cannot be one."""
    if not re.fullmatch(r"[0-9]{1,19}", text):
        return None
    pk = int(text)
    return pk if 0 < pk <= LARGEST else None
