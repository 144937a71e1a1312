"""So much at once, and a bounded queue before it."""

import asyncio

import pytest

from realtime.exceptions import BusyError
from realtime.queues import Turns


async def hold(turns: Turns, until: asyncio.Event) -> None:
    async with turns.turn():
        await until.wait()


@pytest.fixture
def end() -> asyncio.Event:
    return asyncio.Event()


async def begun(count: int, turns: Turns, end: asyncio.Event) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(hold(turns, end)) for _ in range(count)]
    await asyncio.sleep(0)  # each has its turn, or its place in the queue
    return tasks


async def test_those_that_wait_have_their_turn(end: asyncio.Event) -> None:
    tasks = await begun(3, Turns(1, waiting=2, patience=30), end)
    end.set()
    await asyncio.gather(*tasks)


async def test_one_more_is_refused_at_once(end: asyncio.Event) -> None:
    turns = Turns(1, waiting=2, patience=30)
    tasks = await begun(3, turns, end)
    with pytest.raises(BusyError):
        await hold(turns, end)
    end.set()
    await asyncio.gather(*tasks)


async def test_one_that_is_cancelled_makes_room(end: asyncio.Event) -> None:
    turns = Turns(1, waiting=1, patience=30)
    first, second = await begun(2, turns, end)
    second.cancel()
    await asyncio.wait([second])
    [third] = await begun(1, turns, end)
    end.set()
    await asyncio.gather(first, third)


async def test_one_that_waits_for_long_is_refused(end: asyncio.Event) -> None:
    turns = Turns(1, waiting=1, patience=0)
    tasks = await begun(1, turns, end)
    with pytest.raises(BusyError):
        await hold(turns, end)
    end.set()
    await asyncio.gather(*tasks)


async def test_a_turn_ends_with_an_error() -> None:
    turns = Turns(1, waiting=0, patience=30)
    with pytest.raises(ZeroDivisionError):
        async with turns.turn():
            raise ZeroDivisionError
    async with turns.turn():
        pass
