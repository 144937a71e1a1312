"""Replays take turns: with live deliveries, and among those who ask for them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from threading import Event as ThreadEvent
from typing import Any

import pytest

import realtime.hub
import realtime.replay
from realtime.cursor import BEGINNING
from realtime.database import in_database
from realtime.delivery import Shown
from realtime.hub import Hub
from realtime.models import Event
from realtime.publishing import publish
from realtime.turns import Turns
from tests.realtime.conftest import Titles, change, received, subscribed

REPLAYS = 500


class Gated(Titles):
    """A feed whose reads wait for a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = ThreadEvent()

    def values(self, events: Sequence[Event]) -> list[Shown]:
        if not events:
            return []
        shown = super().values(events)
        assert self.gate.wait(30)
        return shown


@pytest.mark.django_db(transaction=True)
class TestReplays:
    @pytest.fixture
    def replayed(self) -> Iterator[Gated]:
        feed = Gated()
        yield feed
        feed.gate.set()

    @pytest.fixture(autouse=True)
    async def replays(
        self,
        replayed: Gated,
        realtime_settings: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> AsyncIterator[None]:
        """Begin as many replays, each of a log of its own."""
        monkeypatch.setattr(realtime.hub, "GIVE_WAY", 60)
        realtime_settings(SWEEP_INTERVAL=3_600)
        topics = [f"t{number}" for number in range(REPLAYS)]
        await in_database(publish)([change(topic, 1) for topic in topics])
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as readers:
            stack.callback(replayed.gate.set)
            hub = Hub.current()
            self.readers = []
            for topic in topics:
                subscription = await hub.subscribe([topic], replayed, after=BEGINNING)
                stack.push_async_callback(subscription.aclose)
                self.readers.append(readers.create_task(anext(subscription)))
            await until(lambda: replayed.reads > 0)
            yield
            replayed.gate.set()

    async def test_a_few_are_read_at_once(self, replayed: Gated, feed: Titles) -> None:
        async with subscribed(feed, "live") as live:
            await in_database(publish)([change("live", "now")])
            assert await received(live, 1) == ["now"]
            assert replayed.reads <= realtime.replay.AT_ONCE

    async def test_no_other_begins_while_there_is_something_live_to_hand_out(
        self, replayed: Gated
    ) -> None:
        live_feed = Gated()
        async with subscribed(live_feed, "live") as live:
            await in_database(publish)([change("live", "now")])
            await until(lambda: live_feed.reads > 0)
            replayed.gate.set()
            await until(lambda: sum(each.done() for each in self.readers) > 0)
            await in_database(int)()  # time enough for some more
            before = replayed.reads
            live_feed.gate.set()
            assert await received(live, 1) == ["now"]
            assert before <= realtime.replay.AT_ONCE

    async def test_all_arrive(self, replayed: Gated) -> None:
        replayed.gate.set()
        deliveries: list[Any] = await asyncio.gather(*self.readers)
        assert len(deliveries) == REPLAYS


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_true():
            await asyncio.sleep(0.001)


class TestTurns:
    async def order(self, turns: Turns, askers: str) -> list[str]:
        """Return the order in which those who wait for one turn get it."""
        order: list[str] = []

        async def take(asker: str) -> None:
            await turns.begin(asker)
            order.append(asker)
            await asyncio.sleep(0)
            turns.end()

        await turns.begin("first")
        async with asyncio.TaskGroup() as tasks:
            for asker in askers:
                tasks.create_task(take(asker))
            await asyncio.sleep(0)
            turns.end()
        return order

    async def test_askers_take_turns(self) -> None:
        assert "".join(await self.order(Turns(1), "aaaabbc")) == "abcabaa"

    async def test_one_who_is_cancelled_loses_no_turn(self) -> None:
        turns = Turns(1)
        await turns.begin("a")
        gone = [asyncio.create_task(turns.begin("b")) for _ in range(2)]
        await asyncio.sleep(0)
        gone[0].cancel()  # while it waits
        await asyncio.sleep(0)
        turns.end()
        gone[1].cancel()  # when it has its turn, and does not know
        await asyncio.wait(gone)
        async with asyncio.timeout(1):
            await turns.begin("c")
