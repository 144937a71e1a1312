"""The hub: every event once and in order, whatever the doorbell does."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from random import Random
from threading import Event as ThreadEvent
from time import sleep
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import OperationalError, transaction

import realtime.replay
from realtime import doorbell, log
from realtime.broadcasts import broadcast
from realtime.cursor import BEGINNING
from realtime.database import in_database
from realtime.delivery import Shown
from realtime.exceptions import CursorExpiredError, LoadError
from realtime.hub import Hub
from realtime.models import Event, Topic
from realtime.publishing import publish, publishing
from tests.realtime.conftest import Titles, change, hub_tasks, received, subscribed

pytestmark = pytest.mark.django_db(transaction=True)

write = in_database(publish)
silently = in_database(lambda changes: log.append(changes, using="default"))
"""As another process would: nobody here is rung."""

IDLE_SWEEP = 3600.0


async def test_a_change_arrives_once_it_is_committed(feed: Titles) -> None:
    async with subscribed(feed, "a") as subscription:
        await write([change("a", 1)])
        assert await received(subscription, 1) == ["1"]


async def test_the_doorbell_alone_brings_it(
    feed: Titles, realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(SWEEP_INTERVAL=IDLE_SWEEP)
    async with subscribed(feed, "a") as subscription:
        await write([change("a", 1)])
        assert await received(subscription, 1) == ["1"]


async def test_the_sweep_alone_brings_it(
    feed: Titles, realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(SWEEP_INTERVAL=0.05)
    async with subscribed(feed, "a", "b") as subscription:
        await silently([change("a", 1), change("b", 2)])
        assert {*await received(subscription, 2)} == {"1", "2"}


async def test_what_was_committed_before_is_not_delivered(feed: Titles) -> None:
    await write([change("a", 1)])
    async with subscribed(feed, "a") as subscription:
        await write([change("a", 2)])
        assert await received(subscription, 1) == ["2"]


async def test_what_was_committed_before_is_not_delivered_to_a_second_subscriber(
    feed: Titles, realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(SWEEP_INTERVAL=IDLE_SWEEP)
    async with subscribed(feed, "a") as first:
        await silently([change("a", 1)])  # the hub has not handed it out yet
        async with subscribed(feed, "a") as second:
            await write([change("a", 2)])
            assert await received(first, 2) == ["1", "2"]
            assert await received(second, 1) == ["2"]


async def test_a_rolled_back_transaction_delivers_nothing(feed: Titles) -> None:
    def roll_back() -> None:
        with publishing():
            publish([change("a", "undone")])
            raise RuntimeError

    async with subscribed(feed, "a") as subscription:
        with pytest.raises(RuntimeError):
            await in_database(roll_back)()
        await write([change("a", "done")])
        assert await received(subscription, 1) == ["done"]


async def test_other_topics_are_not_delivered(feed: Titles) -> None:
    async with subscribed(feed, "a") as subscription:
        await write([change("b", 1), change("a", 2)])
        assert await received(subscription, 1) == ["2"]


async def test_two_hundred_concurrent_writers_arrive_in_order(feed: Titles) -> None:
    async with subscribed(feed, "a") as subscription, asyncio.TaskGroup() as group:
        for writer in range(200):
            group.create_task(write([change("a", writer)]))
        deliveries = [await anext(subscription) for _ in range(200)]
    assert [delivery.event.offset for delivery in deliveries] == list(range(1, 201))
    assert {delivery.value for delivery in deliveries} == {str(writer) for writer in range(200)}


@pytest.mark.parametrize("subscribers", [1, 100])
async def test_one_batch_is_read_once_for_all(
    feed: Titles, subscribers: int, realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(SWEEP_INTERVAL=IDLE_SWEEP)
    subscriptions = [await Hub.current().subscribe(["a"], feed) for _ in range(subscribers)]
    await write([change("a", 1)])
    for subscription in subscriptions:
        assert await received(subscription, 1) == ["1"]
    assert feed.reads == 1
    for subscription in subscriptions:
        await subscription.aclose()


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have who is behind read the log, whatever others have just been handed."""
    monkeypatch.setattr(realtime.replay, "KEEP", 0)


class TestSlowReaders:
    async def test_a_reader_that_fell_behind_misses_nothing(
        self, feed: Titles, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(BUFFER_SIZE=3, READ_BATCH=4)
        async with subscribed(feed, "a") as slow, subscribed(feed, "a") as quick:
            for n in range(20):
                await write([change("a", n)])
                await received(quick, 1)
            assert await received(slow, 20) == [str(n) for n in range(20)]

    async def test_it_goes_on_live(
        self, feed: Titles, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(BUFFER_SIZE=3, READ_BATCH=4)
        async with subscribed(feed, "a") as slow, subscribed(feed, "a") as quick:
            for n in range(10):
                await write([change("a", n)])
                await received(quick, 1)
            await received(slow, 5)
            await write([change("a", 10)])
            assert await received(slow, 6) == [str(n) for n in range(5, 11)]

    async def test_the_texts_that_wait_for_it_are_bounded(
        self, forgetful: None, realtime_settings: Callable[..., None]
    ) -> None:
        class Long(Titles):
            def values(self, events: Sequence[Event]) -> list[Shown]:
                return [(event, {"text": value * 100}) for event, value in super().values(events)]

        feed = Long()
        realtime_settings(BUFFER_WEIGHT=250)
        async with subscribed(feed, "a") as slow, subscribed(feed, "a") as quick:
            for n in range(4):
                await write([change("a", n)])
                await received(quick, 1)
            reads = feed.reads
            assert await received(slow, 4) == [{"text": str(n) * 100} for n in range(4)]
            assert feed.reads == reads + 1  # from the log

    async def test_an_event_pruned_meanwhile_ends_it(
        self, feed: Titles, forgetful: None, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(BUFFER_SIZE=1)
        async with subscribed(feed, "a") as slow, subscribed(feed, "a") as quick:
            for n in range(5):
                await write([change("a", n)])
                await received(quick, 1)
            await Event.objects.filter(offset__lt=3).adelete()
            with pytest.raises(CursorExpiredError):
                await received(slow, 5)


class TestRebuiltLogs:
    async def test_another_epoch_ends_the_subscription(self, feed: Titles) -> None:
        await write([change("a", 1)])
        async with subscribed(feed, "a") as subscription:
            await Topic.objects.all().adelete()
            await write([change("a", 2)])
            with pytest.raises(CursorExpiredError, match="subscribe afresh"):
                await received(subscription, 1)

    async def test_a_shorter_log_ends_the_subscription(
        self, feed: Titles, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(SWEEP_INTERVAL=0.05)
        await write([change("a", 1), change("a", 2)])
        async with subscribed(feed, "a") as subscription:
            await Topic.objects.aupdate(offset=1)
            with pytest.raises(CursorExpiredError):
                await received(subscription, 1)

    async def test_a_hole_in_the_log_ends_the_subscription(self, feed: Titles) -> None:
        def skip_one() -> None:
            with transaction.atomic():
                publish([change("a", 1), change("a", 2)])
                Event.objects.filter(offset=1).delete()

        async with subscribed(feed, "a") as subscription:
            await in_database(skip_one)()
            with pytest.raises(CursorExpiredError):
                await received(subscription, 2)


class TestFaults:
    async def test_a_database_that_fails_for_a_while_costs_nothing_but_time(
        self,
        feed: Titles,
        realtime_settings: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        realtime_settings(SWEEP_INTERVAL=0.02)
        read, failures = log.read, iter(range(3))

        def fail_at_first(*args: Any, **kwargs: Any) -> list[Event]:
            if next(failures, None) is not None:
                raise OperationalError("the database is away")
            return read(*args, **kwargs)

        async with subscribed(feed, "a") as subscription:
            monkeypatch.setattr(log, "read", fail_at_first)
            await write([change("a", 1)])
            assert await received(subscription, 1) == ["1"]
        assert caplog.text.count("The log cannot be followed") == 1

    async def test_a_feed_that_fails_ends_its_own_subscriptions_alone(
        self, feed: Titles, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Broken(Titles):
            def values(self, events: Sequence[Event]) -> list[Shown]:
                raise KeyError("a bug")

        async with subscribed(Broken(), "a") as broken, subscribed(feed, "a") as sound:
            await write([change("a", 1)])
            assert await received(sound, 1) == ["1"]
            with pytest.raises(LoadError) as caught:
                await received(broken, 1)
        assert caught.value.extensions is not None
        assert caught.value.extensions["id"] in caplog.text
        assert "a bug" in caplog.text

    async def test_a_fault_in_handing_out_ends_its_own_subscription_alone(
        self, feed: Titles
    ) -> None:
        async with subscribed(feed, "a") as broken, subscribed(feed, "a") as sound:
            broken.taker = Mock(take=Mock(side_effect=KeyError("a bug")))
            reading = asyncio.create_task(received(broken, 1))
            await asyncio.sleep(0)
            await write([change("a", 1)])
            assert await received(sound, 1) == ["1"]
            with pytest.raises(KeyError, match="a bug"):
                await reading


async def test_a_reader_that_has_swallowed_its_cancellation_ends(feed: Titles) -> None:
    async with subscribed(feed, "a") as subscription:

        async def read() -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await anext(subscription)

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        reading.cancel()
        async with asyncio.timeout(5):
            await asyncio.wait({reading})
        assert reading.cancelled()


class TestLeaving:
    async def test_the_last_to_leave_leaves_no_task(self, feed: Titles) -> None:
        async with subscribed(feed, "a"), subscribed(feed, "b"):
            assert "realtime-hub" in hub_tasks()
        assert hub_tasks() == set()

    async def test_a_failed_join_leaves_nothing(
        self, feed: Titles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(topics: object) -> None:
            raise OperationalError("the database is away")

        monkeypatch.setattr(log, "heads", fail)
        with pytest.raises(OperationalError):
            await Hub.current().subscribe(["a"], feed)
        assert hub_tasks() == set()

    async def test_leaving_is_idempotent(self, feed: Titles) -> None:
        async with subscribed(feed, "a") as subscription:
            await subscription.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)

    async def test_one_may_come_back(self, feed: Titles) -> None:
        for n in range(3):
            async with subscribed(feed, "a") as subscription:
                await write([change("a", n)])
                assert await received(subscription, 1) == [str(n)]


class TestBroadcasts:
    async def test_a_broadcast_reaches_who_listens(self) -> None:
        listener = Hub.current().broadcasts(["news"])
        await asyncio.to_thread(broadcast, "news", "Hello")
        async with asyncio.timeout(5):
            assert (await anext(listener)).value == "Hello"
        await listener.aclose()

    async def test_broadcasts_keep_their_order(self) -> None:
        listener = Hub.current().broadcasts(["news"])
        for n in range(10):
            broadcast("news", n)
        async with asyncio.timeout(5):
            assert [(await anext(listener)).value for _ in range(10)] == list(range(10))
        await listener.aclose()

    async def test_the_oldest_are_dropped_for_a_slow_listener(
        self, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(BUFFER_SIZE=2)
        listener = Hub.current().broadcasts(["news"])
        for n in range(5):
            broadcast("news", n)
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            assert [(await anext(listener)).value for _ in range(2)] == [3, 4]
        await listener.aclose()

    async def test_leaving_leaves_no_task(self) -> None:
        listener = Hub.current().broadcasts(["news"])
        await listener.aclose()
        assert hub_tasks() == set()
        with pytest.raises(StopAsyncIteration):
            await anext(listener)


class TestDoubtfulRings:
    async def test_a_ring_of_another_epoch_is_checked_against_the_database(
        self, feed: Titles, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(SWEEP_INTERVAL=IDLE_SWEEP)
        await write([change("a", 1)])
        async with subscribed(feed, "a") as subscription:
            doorbell.ring({"a": (7, "of-old")})
            await write([change("a", 2)])
            assert await received(subscription, 1) == ["2"]

    async def test_a_ring_ahead_of_the_log_changes_nothing(self, feed: Titles) -> None:
        heads = await silently([change("a", 1)])
        async with subscribed(feed, "a") as subscription:
            doorbell.ring({"a": (9, heads["a"].epoch)})
            await write([change("a", 2)])
            assert await received(subscription, 1) == ["2"]


class TestFairness:
    async def test_a_busy_topic_does_not_starve_the_sweep(
        self, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(SWEEP_INTERVAL=0.1, READ_BATCH=1)
        busy = True

        class Slow(Titles):
            def values(self, events: Sequence[Event]) -> list[Shown]:
                sleep(0.02)
                return super().values(events)

        async def keep_busy() -> None:
            while busy:
                await write([change("busy", n) for n in range(10)])

        async with subscribed(Slow(), "busy"), subscribed(Titles(), "a") as subscription:
            task = asyncio.create_task(keep_busy())
            await silently([change("a", 1)])
            assert await received(subscription, 1) == ["1"]
            busy = False
            await task

    async def test_a_field_whose_reads_fail_does_not_stop_the_others(
        self, feed: Titles, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(SWEEP_INTERVAL=0.05)

        class Broken(Titles):
            def values(self, events: Sequence[Event]) -> list[Shown]:
                raise OperationalError("no such table")

        async with subscribed(Broken(), "a") as broken, subscribed(feed, "b") as sound:
            await write([change("a", 1), change("b", 2)])
            assert await received(sound, 1) == ["2"]
            with pytest.raises(LoadError):
                await received(broken, 1)

    async def test_a_bulk_write_is_read_once_for_all(self, feed: Titles) -> None:
        subscriptions = [await Hub.current().subscribe(["a"], feed) for _ in range(20)]
        await write([change("a", n) for n in range(300)])
        for subscription in subscriptions:
            assert await received(subscription, 300) == [str(n) for n in range(300)]
            await subscription.aclose()
        assert feed.reads == 3  # batches


class TestJoiningTogether:
    async def test_who_read_an_older_head_misses_nothing(
        self, feed: Titles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One who resumes reads the head of a new topic, too, and may be the quicker."""
        heads, read, held = log.heads, ThreadEvent(), ThreadEvent()

        def slow_at_first(topics: Any) -> Any:
            found = heads(topics)
            if not read.is_set():
                read.set()
                assert held.wait(10)
            return found

        monkeypatch.setattr(log, "heads", slow_at_first)
        first = asyncio.create_task(Hub.current().subscribe(["a"], feed))
        while not read.is_set():
            await asyncio.sleep(0.001)
        await silently([change("a", 1)])
        second = await Hub.current().subscribe(["a"], feed, after=BEGINNING)
        async with aclosing(second):
            held.set()
            slow = await first
            await write([change("a", 2)])
            assert await received(second, 2) == ["1", "2"]
            assert await received(slow, 2) == ["1", "2"]
            await slow.aclose()


async def test_a_hub_does_not_outlive_its_subscriptions(feed: Titles) -> None:
    async with subscribed(feed, "a"):
        hub = Hub.current()
        assert Hub.current() is hub
    assert Hub.current() is not hub


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_comes_and_goes_meanwhile_sees_each_log_without_a_hole(
    seed: int, realtime_settings: Callable[..., None]
) -> None:
    """Subscribers join, dawdle and leave at random, on topics at random, while writers commit."""
    realtime_settings(SWEEP_INTERVAL=0.05, BUFFER_SIZE=5, READ_BATCH=7)
    random = Random(seed)
    feeds = [Titles(), Titles()]
    writing = True

    async def write_on() -> None:
        while writing:
            topics = random.sample("abc", random.randint(1, 3))
            told = write if random.random() < 0.8 else silently
            await told([change(topic, 0) for topic in topics])

    async def follow() -> None:
        for _ in range(6):
            topics = random.sample("abc", random.randint(1, 2))
            before = await in_database(log.heads)(topics)
            async with subscribed(random.choice(feeds), *topics) as subscription:
                positions: dict[str, int] = {}
                after = await in_database(log.heads)(topics)
                for _ in range(random.randint(0, 25)):
                    async with asyncio.timeout(10):
                        event = (await anext(subscription)).event
                    topic, offset = event.topic_id, event.offset
                    if topic in positions:
                        assert offset == positions[topic] + 1
                    else:
                        assert before[topic].offset < offset <= after[topic].offset + 1
                    positions[topic] = offset
                    if random.random() < 0.2:
                        await asyncio.sleep(random.random() / 50)

    async with asyncio.TaskGroup() as writers:
        for _ in range(3):
            writers.create_task(write_on())
        try:
            async with asyncio.TaskGroup() as readers:
                for _ in range(12):
                    readers.create_task(follow())
        finally:
            writing = False
    assert hub_tasks() == set()
