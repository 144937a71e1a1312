"""Coroutines that begin in the name of a task which goes on with them."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from realtime import eager
from realtime.audience import Broadcasts
from realtime.delivery import Shared
from realtime.reading import AS_THEY_ARE


class Waiting:
    """A task that awaits what is left of the coroutines that are begun in its name."""

    def __init__(self) -> None:
        self._left: asyncio.Queue[eager.Unfinished] = asyncio.Queue()
        self.task = asyncio.create_task(self._finish())

    async def _finish(self) -> None:
        await (await self._left.get())

    def begin(self, coroutine: Coroutine[Any, Any, None]) -> bool:
        """Return whether the coroutine ended at once."""
        left = eager.begin(coroutine, self.task)
        if left is not None:
            self._left.put_nowait(left)
        return left is None


@pytest.fixture
async def waiting() -> Waiting:
    waiting = Waiting()
    await asyncio.sleep(0)
    return waiting


async def test_what_need_not_wait_is_done_at_once(waiting: Waiting) -> None:
    done = []

    async def work() -> None:
        done.append(asyncio.current_task())

    assert waiting.begin(work())
    assert done == [waiting.task]
    assert asyncio.current_task() is not waiting.task
    waiting.task.cancel()


@pytest.mark.parametrize("ready_before", [True, False])
async def test_the_task_goes_on_with_what_waits(waiting: Waiting, ready_before: bool) -> None:
    ready = asyncio.Event()
    tasks = []

    async def work() -> None:
        for _ in range(3):
            tasks.append(asyncio.current_task())
            await ready.wait()
            await asyncio.sleep(0)

    assert not waiting.begin(work())
    if ready_before:
        ready.set()
    else:
        asyncio.get_running_loop().call_later(0.01, ready.set)
    await waiting.task
    assert tasks == [waiting.task] * 3


async def test_what_it_raises_at_once_is_the_tasks(waiting: Waiting) -> None:
    async def work() -> None:
        raise ConnectionResetError

    assert not waiting.begin(work())
    with pytest.raises(ConnectionResetError):
        await waiting.task


async def test_several_may_wait_for_one_future() -> None:
    ready = asyncio.get_running_loop().create_future()

    async def work() -> None:
        await ready

    waiting = [Waiting() for _ in range(2)]
    await asyncio.sleep(0)
    for each in waiting:
        each.begin(work())
    await asyncio.sleep(0)
    ready.set_result(None)
    await asyncio.gather(*[each.task for each in waiting])


async def test_what_it_raises_later_is_the_tasks(waiting: Waiting) -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise ConnectionResetError

    waiting.begin(work())
    with pytest.raises(ConnectionResetError):
        await waiting.task


async def test_cancelling_the_task_cancels_it(waiting: Waiting) -> None:
    cancelled = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    waiting.begin(work())
    await asyncio.sleep(0)
    waiting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    assert cancelled == [True]


async def timing_out(timed_out: list[bool]) -> None:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    except TimeoutError:
        timed_out.append(True)


async def test_a_timeout_in_it_is_its_own(waiting: Waiting) -> None:
    timed_out: list[bool] = []
    waiting.begin(timing_out(timed_out))
    await waiting.task
    assert timed_out == [True]


async def test_a_cancellation_that_comes_before_the_task_goes_on_is_the_coroutines() -> None:
    """As that of a timeout that is over in the same round."""
    timed_out: list[bool] = []
    loop = asyncio.get_running_loop()

    class Nobody:
        async def leave(self, member: Any) -> None: ...

    member = Broadcasts(Nobody(), ["news"], AS_THEY_ARE)  # type: ignore[arg-type]
    reader = asyncio.create_task(anext(member))
    await asyncio.sleep(0)

    class Worker:
        def take(self, shared: Shared) -> bool:
            left = eager.begin(timing_out(timed_out), reader)
            assert left is not None
            member.finish(left)
            return True

    member.taker = Worker()

    def push_late() -> None:
        member.push(Shared(1))
        time.sleep(0.02)

    loop.call_soon(push_late)
    async with asyncio.timeout(5):
        while not timed_out:
            await asyncio.sleep(0.001)
    assert not reader.done()
    reader.cancel()
