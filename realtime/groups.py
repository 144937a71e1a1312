"""The groups of the channel layer that all processes join, and what a message to them looks like.

Topics are hashed onto a few groups. Each message says how many groups its sender has: processes
with different numbers send to groups where the others do not expect it.
"""

import logging
import os
from collections.abc import Mapping
from secrets import token_hex
from typing import Any
from zlib import crc32

from channels.layers import BaseChannelLayer, InMemoryChannelLayer, get_channel_layer

from realtime.conf import get_settings

logger = logging.getLogger("realtime.doorbell")

_TOKEN = token_hex(8)


def origin() -> str:
    """Return what tells this process's messages from others', also after a fork."""
    return f"{_TOKEN}.{os.getpid()}"


def remote_layer() -> BaseChannelLayer | None:
    """Return the channel layer if it reaches other processes: the in-memory one does not."""
    layer = get_channel_layer(get_settings().channel_layer)
    return None if isinstance(layer, InMemoryChannelLayer) else layer


def names() -> list[str]:
    """Return the names of all groups."""
    return [_name(number) for number in range(get_settings().doorbell_groups)]


def first() -> str:
    """Return the name of the group that all processes have in common, whatever their numbers."""
    return _name(0)


def group_of(topic: str) -> str:
    """Return the name of the group onto which a topic is hashed."""
    return _name(crc32(topic.encode()) % get_settings().doorbell_groups)


def _name(number: int) -> str:
    return f"realtime.doorbell.{number}"


def message() -> dict[str, Any]:
    """Return a message that tells nothing but how many groups this process has."""
    return {
        "type": "realtime",
        "origin": origin(),
        "groups": get_settings().doorbell_groups,
        "heads": [],
        "broadcasts": [],
    }


def compare(message: Mapping[str, Any]) -> None:
    """Log if the sender has another number of groups; once for each number."""
    ours = get_settings().doorbell_groups
    theirs = message.get("groups", ours)
    if theirs == ours or theirs in _others:
        return
    _others.add(theirs)
    logger.error(
        'Another process has %s notification groups, this one has %s: set REALTIME["DOORBELL_'
        'GROUPS"] to the same number in all processes. Until then they miss broadcasts of each '
        "other, and get each other's events late.",
        theirs,
        ours,
    )


_others: set[int] = set()
"""Other numbers of groups that were logged."""
