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
    """What is left of a coroutine that has begun to wait, or has failed; its task awaits it."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
        self._coroutine = coroutine
        self._awaited = [awaited]
        self._errors: list[BaseException] = []

    def __await__(self) -> Generator[Any, Any, None]:
        return self

    def cancel(self) -> None:
        """Have the cancellation of the task, which came before it awaited this, arrive inside."""
        self._errors.append(asyncio.CancelledError())

    def send(self, value: Any) -> Any:
        """Wait for what the coroutine waits for already, then go on with it."""
        if self._errors:
            return self.throw(self._errors.pop())
        if not self._awaited:
            return self._coroutine.send(value)
        awaited = self._awaited.pop()
        _mark(awaited, True)
        return awaited

    def throw(self, *error: Any) -> Any:
        """Raise an error where the coroutine waits."""
        self._awaited.clear()
        return self._coroutine.throw(*error)


def begin(coroutine: Coroutine[Any, Any, None], task: asyncio.Task[Any]) -> Unfinished | None:
    """Run a coroutine to its end, or to where it waits; to itself it seems to run in the task.

    Not in the task's context, though: context variables are those of the caller. What it
    raises, it raises in the task.
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
    except (Exception, asyncio.CancelledError) as error:
        failed = _failed(error)
        return Unfinished(failed, failed.send(None))
    finally:
        _leave(loop, task)
        if running is not None:
            _enter(loop, running)
    _mark(awaited, False)
    return Unfinished(coroutine, awaited)


def _mark(awaited: Any, blocking: bool) -> None:
    # How a future tells a task that it was awaited, which the task answers by taking the mark
    # away: nobody else can await the future before.
    if getattr(awaited, "_asyncio_future_blocking", None) is not None:
        awaited._asyncio_future_blocking = blocking


async def _failed(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error
