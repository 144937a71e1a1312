"""One timer for thousands."""

import asyncio
import contextvars
import gc
import weakref
from itertools import pairwise

import pytest

from realtime.rounds import AT_ONCE, Rounds

PAUSE = 0.01


async def visited(rounds: Rounds[int], seen: list[int], count: int) -> None:
    async with asyncio.timeout(10):
        while len(seen) < count:
            await asyncio.sleep(0.001)


async def test_members_are_visited_in_the_order_of_joining() -> None:
    seen: list[int] = []
    rounds = Rounds(seen.append)
    for member in (2, 1, 3):
        rounds.join(member, 0.01)
    await visited(rounds, seen, 3)
    assert seen == [2, 1, 3]


async def test_each_once() -> None:
    seen: list[int] = []
    rounds = Rounds(seen.append)
    for _ in range(2):
        rounds.join(1, 0)
    rounds.join(2, 0)
    await visited(rounds, seen, 2)
    assert seen == [1, 2]


async def test_who_has_left_is_not_visited() -> None:
    seen: list[int] = []
    rounds = Rounds(seen.append)
    rounds.join(1, 0)
    rounds.join(2, 0)
    rounds.leave(1)
    await visited(rounds, seen, 1)
    assert seen == [2]


@pytest.mark.parametrize("again", [False, True], ids=["once", "joining again"])
async def test_it_pauses_between_a_few_and_the_next(again: bool) -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    def visit(member: int) -> None:
        times.append(loop.time())
        if again:
            rounds.join(member, 60)

    rounds = Rounds(visit, pause=PAUSE)
    for member in range(3 * AT_ONCE):
        rounds.join(member, 0)
    while len(times) < 3 * AT_ONCE:
        await asyncio.sleep(0.001)
    firsts = times[::AT_ONCE]
    assert all(later - earlier >= PAUSE for earlier, later in pairwise(firsts))


async def test_a_visit_that_fails_costs_the_others_nothing() -> None:
    seen: list[int] = []

    def visit(member: int) -> None:
        if member == 1:
            raise KeyError(member)
        seen.append(member)

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    rounds = Rounds(visit)
    rounds.join(1, 0)
    rounds.join(2, 0)
    await visited(rounds, seen, 1)
    assert seen == [2]


async def test_visits_know_nothing_of_the_context_of_who_joined() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="")
    seen: list[str] = []
    rounds: Rounds[int] = Rounds(lambda _: seen.append(variable.get()))
    variable.set("of one connection")
    rounds.join(1, 0)
    while not seen:
        await asyncio.sleep(0.001)
    assert seen == [""]


def test_a_loop_that_has_ended_is_free() -> None:
    rounds: Rounds[int] = Rounds(print)

    async def join_and_leave() -> "weakref.ref[asyncio.AbstractEventLoop]":
        rounds.join(1, 60)
        rounds.leave(1)
        return weakref.ref(asyncio.get_running_loop())

    loop = asyncio.run(join_and_leave())
    gc.collect()
    assert loop() is None


async def test_a_few_are_admitted_a_round_of_the_event_loop() -> None:
    rounds: Rounds[int] = Rounds(lambda _: None)
    for _ in range(2):
        assert [rounds.admit() for _ in range(AT_ONCE + 1)] == [True] * AT_ONCE + [False]
        await asyncio.sleep(0)


async def test_nobody_is_admitted_before_those_who_are_due() -> None:
    seen: list[int] = []
    rounds = Rounds(seen.append)
    rounds.join(1, 0)
    assert not rounds.admit()
    await visited(rounds, seen, 1)
    assert rounds.admit()
