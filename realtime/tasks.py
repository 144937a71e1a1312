"""Tasks that end, that several wait for, that are waited for so long, and that take turns."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

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


def is_cancelled(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether the running task was cancelled, be it that it goes on."""
    task = asyncio.current_task(loop)
    return task is not None and task.cancelling() > 0


async def result(task: asyncio.Task[T]) -> T:
    """Return the result of a task that others wait for, too, to one of them after another.

    Who is cancelled does not end it.
    """
    task.add_done_callback(_heed)
    await asyncio.wait({task})
    await turn()
    return task.result()


def _heed(task: asyncio.Task[Any]) -> None:
    # Those who wait may all have gone: its exception is nobody's then.
    if not task.cancelled():
        task.exception()


async def in_time(awaitable: Awaitable[object], seconds: float) -> bool:
    """Await something for so long; return whether it has ended."""
    try:
        async with asyncio.timeout(seconds):
            await awaitable
    except TimeoutError:
        return False
    return True


async def turn() -> None:
    """Wait until no other turn was begun in this round of the event loop.

    For what thousands may have to do at once: clients are to be heard between.
    """
    loop = asyncio.get_running_loop()
    lock = _turns.get(loop)
    if lock is None:
        lock = _turns[loop] = asyncio.Lock()
    await lock.acquire()
    loop.call_soon(lock.release)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
