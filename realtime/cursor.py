"""Cursors: where a reader of some topics stands, as text for clients.

For each topic, in the order of their names, the epoch of its log and the offset last
received: `epoch-offset`, with commas between. Clients are to take it as it is.
"""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

BEGINNING = "0"
"""What clients give as a cursor for all that is retained."""


class Position(NamedTuple):
    """A place in the log of one topic."""

    offset: int
    epoch: str


def to_text(positions: Mapping[str, Position]) -> str:
    """Return the cursor of a reader who stands at these positions."""
    return ",".join(
        [f"{position.epoch}-{position.offset}" for _, position in sorted(positions.items())]
    )


def from_text(text: str, topics: Collection[str]) -> dict[str, Position] | None:
    """Return the positions on these topics, None where the cursor is of other topics.

    Raises ValueError for what is no cursor at all.
    """
    if not _CURSOR.fullmatch(text):
        raise ValueError(text)
    parts = text.split(",")
    if len(parts) != len(topics):
        return None
    found = {}
    for topic, part in zip(sorted(topics), parts, strict=True):
        epoch, _, offset = part.rpartition("-")
        found[topic] = Position(int(offset), epoch)
    return found


_POSITION = r"[0-9a-f]{0,16}-[0-9]{1,19}"
_CURSOR = re.compile(rf"{_POSITION}(,{_POSITION})*")
