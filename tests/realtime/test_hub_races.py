"""The hub, while others come and go, write much, or name what is no topic."""

import asyncio
from collections.abc import Callable, Sequence
from threading import Event as ThreadEvent
from time import sleep

import pytest
from django.db import OperationalError

import realtime.replay
from realtime import log
from realtime.database import in_database
from realtime.delivery import Shown
from realtime.exceptions import CursorExpiredError, LoadError, TopicNameError
from realtime.hub import Hub
from realtime.models import Event, Topic
from realtime.sentinel import Sentinel
from realtime.subscription import Subscription
from tests.realtime.conftest import Titles, change, received, subscribed
from tests.realtime.test_hub import write

pytestmark = pytest.mark.django_db(transaction=True)

silently = in_database(lambda changes: log.append(changes, using="default"))


class Held(Titles):
    """Holds its reads up."""

    def __init__(self) -> None:
        super().__init__()
        self.reading, self.may_read = ThreadEvent(), ThreadEvent()

    def values(self, events: Sequence[Event]) -> list[Shown]:
        self.reading.set()
        assert self.may_read.wait(10)
        return super().values(events)


async def test_who_resumes_another_field_while_a_batch_is_loaded_misses_nothing(
    feed: Titles,
) -> None:
    held = Held()
    heads = await silently([change("a", 0)])
    after = f"{heads['a'].epoch}-1"
    async with subscribed(held, "a") as other:
        await write([change("a", 1)])
        while not held.reading.is_set():
            await asyncio.sleep(0.001)
        resumed = await Hub.current().subscribe(["a"], feed, after=after)
        held.may_read.set()
        assert await received(other, 1) == ["1"]
        await write([change("a", 2)])
        assert await received(resumed, 2) == ["1", "2"]
        await resumed.aclose()


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "", "a" * 201])
async def test_what_can_be_no_name_is_its_subscribers_affair_alone(feed: Titles, name: str) -> None:
    """Names hold what clients send: room.{chatroom}."""
    odd, fine = await asyncio.gather(
        Hub.current().subscribe([name], feed),
        Hub.current().subscribe(["c"], feed),
        return_exceptions=True,
    )
    assert isinstance(odd, TopicNameError)
    assert isinstance(fine, Subscription)
    await write([change("c", 1)])
    assert await received(fine, 1) == ["1"]
    await fine.aclose()


async def test_an_expired_reader_who_reads_meanwhile_learns_of_it(
    feed: Titles, realtime_settings: Callable[..., None]
) -> None:
    """The hub rests when the others have left; it must not cancel who is still there."""
    realtime_settings(SWEEP_INTERVAL=0.05)
    heads = await silently([change("a", 0)])
    held = Held()
    witness = await Hub.current().subscribe(["a"], feed)
    slow = await Hub.current().subscribe(["a"], held, after=f"{heads['a'].epoch}-0")
    reader = asyncio.create_task(anext(slow))
    while not held.reading.is_set():
        await asyncio.sleep(0.001)
    await in_database(log.reset_epochs)()
    # Another learns of it in the same sweep.
    with pytest.raises(CursorExpiredError):
        await received(witness, 1)
    await witness.aclose()
    # Another comes and goes.
    other = await Hub.current().subscribe(["b"], feed)
    await other.aclose()
    held.may_read.set()
    with pytest.raises(CursorExpiredError):
        await reader
    await slow.aclose()


async def test_kept_events_of_a_log_that_is_no_more_are_not_replayed(feed: Titles) -> None:
    async with subscribed(feed, "a") as first:
        await write([change("a", f"old {n}") for n in range(3)])
        await received(first, 3)
        async with subscribed(feed, "keeps the hub"):
            await Topic.objects.all().adelete()
            heads = await silently([change("a", "new 0")])
            await first.aclose()
            cursor = f"{heads['a'].epoch}-0"
            async with subscribed(feed, "a"):
                await write([change("a", "new 1")])
                await asyncio.sleep(0.1)
                await write([change("a", "new 2")])
                resumed = await Hub.current().subscribe(["a"], feed, after=cursor)
                assert await received(resumed, 3) == ["new 0", "new 1", "new 2"]
                await resumed.aclose()


async def test_a_bulk_write_on_one_topic_does_not_hold_up_another(
    realtime_settings: Callable[..., None],
) -> None:
    realtime_settings(READ_BATCH=10)

    class Slow(Titles):
        def values(self, events: Sequence[Event]) -> list[Shown]:
            sleep(0.01)
            return super().values(events)

    bulk = Slow()
    async with subscribed(bulk, "a"), subscribed(Titles(), "z") as other:
        await write([change("a", n) for n in range(1000)])
        await write([change("z", 1)])
        await received(other, 1)
        assert bulk.reads < 20


async def test_topics_that_are_none_count_as_no_subscription(feed: Titles) -> None:
    before = Subscription.live
    with pytest.raises(TypeError):
        await Hub.current().subscribe(None, feed)  # type: ignore[arg-type]
    assert Subscription.live == before


async def test_what_one_who_came_back_has_read_is_what_others_are_handed(
    feed: Titles, realtime_settings: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    realtime_settings(SWEEP_INTERVAL=3600.0)
    monkeypatch.setattr(realtime.replay, "KEEP", 0)
    async with subscribed(feed, "a") as stays:
        await write([change("a", 1)])
        await received(stays, 1)
        monkeypatch.setattr(realtime.replay, "KEEP", 60)
        await silently([change("a", 2)])
        back = await Hub.current().subscribe(["a"], feed, after="0")
        read = [await anext(back) for _ in range(2)]
        await write([change("a", 3)])
        assert await anext(stays) is read[1]
        await back.aclose()


async def test_a_field_that_follows_what_goes_first_and_more_misses_nothing(
    feed: Titles,
) -> None:
    sentinel = await Sentinel.posted(Hub.current(), ["rights"], Titles(), lambda _: None)
    async with subscribed(feed, "a", "rights") as subscription:
        await write([change("a", 1), change("rights", 2)])
        assert {*await received(subscription, 2)} == {"1", "2"}
    await sentinel.aclose()


async def test_two_fields_whose_reads_fail_keep_no_third_waiting(
    feed: Titles, realtime_settings: Callable[..., None]
) -> None:
    """As a lost connection does: each is suspected of its own."""
    realtime_settings(SWEEP_INTERVAL=0.01)

    class Broken(Titles):
        def values(self, events: Sequence[Event]) -> list[Shown]:
            raise OperationalError("no such column")

    async with (
        subscribed(Broken(), "a") as first,
        subscribed(Broken(), "a") as second,
        subscribed(feed, "a") as sound,
    ):
        await write([change("a", 1)])
        assert await received(sound, 1) == ["1"]
        for broken in (first, second):
            with pytest.raises(LoadError):
                await received(broken, 1)
