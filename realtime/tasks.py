"""Tasks that end."""

import asyncio
from collections.abc import Iterable
from typing import Any

PATIENCE = 1.0
"""Seconds for what a task does in `finally`, before it is cancelled again."""


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and return when all have ended.

    Each is cancelled once, so that its `finally` may await; again if it goes on after a
    while, since it may have taken the cancellation for something else.
    """
    waiting = set(tasks)
    for task in waiting:
        if not task.cancelling():
            task.cancel()
    while waiting:
        _, waiting = await asyncio.wait(waiting, timeout=PATIENCE)
        for task in waiting:
            task.cancel()
