"""Coroutines that begin at once, in the name of a task that waits for work.

A frame that its socket takes at once then costs neither a round of the event loop nor a
switch of tasks, which is most of what one of thousands of deliveries costs. (The eager
tasks of Python 3.12 are new tasks each.)
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

# "Extending" in asyncio's documentation names them, for tasks of others' making.
_enter, _leave = asyncio.tasks._enter_task, asyncio.tasks._leave_task


class Unfinished(Generator[Any, Any, None]):
    """What is left of a coroutine that has begun to wait; the task is to await it."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
        self._coroutine = coroutine
        self._awaited = [awaited]

    def __await__(self) -> Generator[Any, Any, None]:
        return self

    def send(self, value: Any) -> Any:
        """Wait for what the coroutine waits for already, then go on with it."""
        return self._awaited.pop() if self._awaited else self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise an error where the coroutine waits."""
        self._awaited.clear()
        return self._coroutine.throw(*error)


def begin(coroutine: Coroutine[Any, Any, None], task: asyncio.Task[Any]) -> Unfinished | None:
    """Run a coroutine to its end, or to where it waits; to itself it seems to run in the task.

    Not in the task's context, though: context variables are those of the caller. Raises
    what the coroutine raises.
    """
    loop = task.get_loop()
    running = asyncio.current_task(loop)
    if running is not None:
        _leave(loop, running)
    _enter(loop, task)
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    finally:
        _leave(loop, task)
        if running is not None:
            _enter(loop, running)
    return Unfinished(coroutine, awaited)
