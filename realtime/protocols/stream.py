"""An operation whose results come from anybody's asynchronous iterator."""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, TypeAlias

import anyio

from realtime.protocols.events import Event, OperationId

logger = logging.getLogger("realtime.protocols")


class TaskScope:
    """A cancel scope of asyncio's kind: it cancels one await, not what cleans up behind it.

    That of anyio goes on to cancel until the task has left it, as trio has it. In asyncio a
    `finally` may await, and would be torn. The counting is that of `asyncio.Timeout`.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._cancelled = False

    def cancel(self) -> None:
        """Cancel what the task awaits in the scope, if it is still there."""
        if self._task is asyncio.current_task():
            # It may leave before it awaits again, and would then be hit outside.
            asyncio.get_running_loop().call_soon(self._cancel)
        else:
            self._cancel()

    def _cancel(self) -> None:
        if self._task is not None and not self._cancelled:
            self._cancelled = True
            self._task.cancel()

    def __enter__(self) -> "TaskScope":
        self._task = asyncio.current_task()
        assert self._task is not None
        self._cancelling = self._task.cancelling()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None
    ) -> bool:
        task, self._task = self._task, None
        if task is None or not self._cancelled:
            return False
        return task.uncancel() <= self._cancelling and isinstance(fault, asyncio.CancelledError)


Scope: TypeAlias = TaskScope | anyio.CancelScope


def scope() -> Scope:
    """Return a cancel scope of the loop's own kind."""
    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return TaskScope()
    return anyio.CancelScope()


class RunningOperation:
    """The results of one operation, read in the task that makes this and ended from any.

    `encode` makes of a result what `next` returns, which must not be None. Exceptions of the
    results are logged, and kept as `fault`; those of the types in `passed` are raised.
    """

    def __init__(
        self,
        id: OperationId,
        begin: Callable[[], Any],
        encode: Callable[[Any], Any],
        passed: tuple[type[BaseException], ...] = (),
    ) -> None:
        self.id = id
        self.ended = anyio.Event()
        self.over = False
        """Whether nothing more may be sent of it: its id is free, or another's."""
        self.answer: Sequence[Event] = ()
        """What is sent when it has ended because the client stopped it."""
        self.fault: Exception | None = None
        self._begin = begin
        self._encode = encode
        self._passed = passed
        self._task = anyio.get_current_task().id
        self._results: AsyncIterator[Any] | None = None
        self._reading: Scope | None = None
        self._sending: Scope | None = None

    def interrupt(self) -> None:
        """End it where it waits for a result; a message that is being sent is sent whole."""
        self.over = True
        if self._reading is not None:
            self._reading.cancel()

    def end(self) -> None:
        """End it wherever it waits, but for the clean-up of its stream; nothing is sent."""
        self.answer = ()
        self.interrupt()
        if self._sending is not None:
            self._sending.cancel()

    async def wait(self) -> None:
        """Wait until it has ended, unless it is this operation itself that asks."""
        if self._task != anyio.get_current_task().id:
            await self.ended.wait()

    def sending(self) -> Scope:
        """Return what to send its messages in."""
        self._sending = scope()
        return self._sending

    async def next(self) -> Any:
        """Return the next result, encoded; None at the end, whichever it is."""
        if self.over:
            return None
        try:
            with scope() as self._reading:
                return await self._advance()
        except self._passed:
            raise
        except Exception as fault:
            self._fail(fault)
        return None

    async def aclose(self) -> None:
        """Run the `finally` of a stream that has one, even when this task is cancelled."""
        aclose = getattr(self._results, "aclose", None)
        if aclose is None:
            return
        try:
            with anyio.CancelScope(shield=True):
                await aclose()
        except self._passed:
            raise
        except Exception as fault:
            self._fail(fault)

    async def _advance(self) -> Any:
        if self._results is None:
            stream = self._begin()
            if inspect.isawaitable(stream):
                stream = await stream
            self._results = aiter(stream)
        async for result in self._results:
            return self._encode(result)
        return None

    def _fail(self, fault: Exception) -> None:
        self.fault = self.fault or fault
        logger.error("Operation %r failed", self.id, exc_info=fault)
