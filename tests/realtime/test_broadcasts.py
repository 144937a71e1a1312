"""Broadcasts: from wherever they are sent, in order, to whoever listens at the time."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Event as ThreadEvent
from threading import Thread
from types import FrameType
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import OperationalError, transaction

from realtime.audience import Broadcasts
from realtime.broadcasts import abroadcast, broadcast
from realtime.database import in_database
from realtime.delivery import BREATH
from realtime.hub import Hub
from realtime.payloads import Reference
from realtime.reading import AS_THEY_ARE, Reading
from tests.realtime.conftest import hub_tasks
from tests.shelf.models import Book, Draft, Page, Shelf

pytestmark = pytest.mark.django_db(transaction=True)


@asynccontextmanager
async def listening(*topics: str, reading: Reading = AS_THEY_ARE) -> AsyncIterator[Broadcasts]:
    listener = Hub.current().broadcasts(topics, reading)
    try:
        yield listener
    finally:
        await listener.aclose()


async def heard(listener: Broadcasts, count: int) -> list[Any]:
    """Return the next values, which must come in time."""
    async with asyncio.timeout(10):
        return [(await anext(listener)).value for _ in range(count)]


@in_database
def book(title: str = "Ariadne", shelf: str = "Crete") -> Book:
    return Book.objects.create(title=title, shelf=Shelf.objects.create(name=shelf))


class TestSending:
    async def test_from_async_code(self) -> None:
        async with listening("news") as listener:
            await abroadcast("news", "awaited")
            broadcast("news", "not awaited")
            assert await heard(listener, 2) == ["awaited", "not awaited"]

    async def test_from_a_thread_without_a_loop(self) -> None:
        async with listening("news") as listener:
            thread = Thread(target=broadcast, args=("news", "Hello"))
            thread.start()
            assert await heard(listener, 1) == ["Hello"]
            thread.join()

    async def test_from_a_loop_of_another_thread(self) -> None:
        async with listening("news") as listener:
            thread = Thread(target=lambda: asyncio.run(abroadcast("news", "Hello")))
            thread.start()
            assert await heard(listener, 1) == ["Hello"]
            thread.join()

    async def test_what_cannot_be_sent_is_refused_before_anything_is(self) -> None:
        async with listening("news") as listener:
            with pytest.raises(TypeError):
                await abroadcast("news", [1, {2}])
            with pytest.raises(TypeError):
                broadcast("news", {"at": object()})
            broadcast("news", "sound")
            assert await heard(listener, 1) == ["sound"]

    async def test_what_is_changed_afterwards_arrives_as_it_was(self) -> None:
        async with listening("news") as listener:
            payload = {"text": "then"}
            broadcast("news", payload)
            payload["text"] = "now"
            assert await heard(listener, 1) == [{"text": "then"}]

    async def test_within_a_transaction_it_waits_for_the_commit(self) -> None:
        @in_database
        @transaction.atomic
        def write() -> None:
            broadcast("news", Book.objects.create(title="Ariadne"))
            Book.objects.update(title="Daedalus")

        async with listening("news") as listener:
            await write()
            assert [book.title for book in await heard(listener, 1)] == ["Daedalus"]

    async def test_a_rollback_takes_it_back(self) -> None:
        @in_database
        def write() -> None:
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                broadcast("news", "undone")
                raise ZeroDivisionError
            broadcast("news", "done")

        async with listening("news") as listener:
            await write()
            assert await heard(listener, 1) == ["done"]


class TestListening:
    async def test_to_several_topics(self) -> None:
        async with listening("news", "weather") as listener:
            for topic in ("news", "sports", "weather"):
                broadcast(topic, topic)
            assert await heard(listener, 2) == ["news", "weather"]

    async def test_who_comes_later_hears_nothing_of_before(self) -> None:
        async with listening("news") as first:
            broadcast("news", 1)
            await heard(first, 1)
            async with listening("news") as second:
                broadcast("news", 2)
                assert await heard(second, 1) == [2]

    async def test_who_has_left_one_topic_of_two_listeners_leaves_the_other_one(self) -> None:
        async with listening("news", "weather") as stays:
            async with listening("news", "sports"):
                pass
            broadcast("news", "Hello")
            assert await heard(stays, 1) == ["Hello"]

    async def test_who_comes_back_hears_on(self) -> None:
        for n in range(3):
            async with listening("news") as listener:
                broadcast("news", n)
                assert await heard(listener, 1) == [n]

    async def test_who_leaves_does_not_ask_the_others(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As one would who is looked for in a list: thousands may leave at once."""
        leaving = [Hub.current().broadcasts(["news", f"own.{n}"]) for n in range(1_000)]
        compared = Mock(return_value=NotImplemented)
        monkeypatch.setattr(Broadcasts, "__eq__", compared)
        with counted_lines() as lines:
            await asyncio.gather(*(listener.aclose() for listener in reversed(leaving)))
        assert compared.call_count < len(leaving)
        assert lines.total() < 100 * len(leaving)
        assert hub_tasks() == set()


@contextmanager
def counted_lines() -> Iterator[Counter[str]]:
    """Count the lines of the engine that are run, a loop's as often as it goes round."""
    counts: Counter[str] = Counter()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line" and frame.f_globals["__name__"].startswith("realtime."):
            counts[frame.f_code.co_name] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield counts
    finally:
        sys.settrace(before)


def reads(queries: list[str]) -> list[str]:
    """Leave out what a connection says when it begins."""
    return [sql for sql in queries if "FROM" in sql]


class TestInstances:
    async def test_they_are_read_afresh(self) -> None:
        sent = await book()
        await Book.objects.aupdate(title="Daedalus")
        async with listening("news") as listener:
            broadcast("news", sent)
            (arrived,) = await heard(listener, 1)
        assert (arrived.pk, arrived.title) == (sent.pk, "Daedalus")

    async def test_also_within_lists_and_dictionaries(self) -> None:
        one, two = await book(), await book("Daedalus")
        async with listening("news") as listener:
            broadcast("news", {"books": [one, [two]], "text": "new"})
            assert await heard(listener, 1) == [{"books": [one, [two]], "text": "new"}]

    @pytest.mark.parametrize("listeners", [1, 100])
    async def test_one_query_a_model_whatever_the_number_of_listeners(
        self, listeners: int, queries: list[str]
    ) -> None:
        one, two = await book(), await book("Daedalus")
        all = [Hub.current().broadcasts(["news"]) for _ in range(listeners)]
        queries.clear()
        broadcast("news", [one, two, {"again": one, "shelves": [one.shelf, two.shelf]}])
        for listener in all:
            await heard(listener, 1)
        assert len(reads(queries)) == 2
        for listener in all:
            await listener.aclose()

    async def test_a_queryset_says_what_is_read_with_them(self, queries: list[str]) -> None:
        reading = Reading([Book.objects.select_related("shelf")])
        sent = await book()
        queries.clear()
        async with listening("news", reading=reading) as listener:
            broadcast("news", [sent])
            ((arrived,),) = await heard(listener, 1)
        assert arrived.shelf.name == "Crete"
        assert len(reads(queries)) == 1

    async def test_and_each_listener_has_its_own(self) -> None:
        sent = await book()
        none = Reading([Book.objects.filter(title="Daedalus")])
        async with listening("news") as one, listening("news", reading=none) as other:
            broadcast("news", [sent])
            assert await heard(one, 1) == [[sent]]
            assert await heard(other, 1) == [[None]]

    async def test_one_that_is_gone_is_none(self) -> None:
        gone, there = Book(pk=0), await book()
        async with listening("news") as listener:
            broadcast("news", {"books": [gone, there]})
            assert await heard(listener, 1) == [{"books": [None, there]}]

    async def test_where_it_is_all_there_was_nothing_is_delivered(self) -> None:
        async with listening("news") as listener:
            broadcast("news", Book(pk=0))
            broadcast("news", None)
            broadcast("news", "next")
            assert await heard(listener, 2) == [None, "next"]

    async def test_a_manager_that_hides_rows_does_not_hide_them(self) -> None:
        sent = await in_database(Draft.objects.create)(hidden=True)
        async with listening("news") as listener:
            broadcast("news", sent)
            assert await heard(listener, 1) == [sent]

    async def test_a_primary_key_may_have_been_set_as_text(self) -> None:
        sent = await book()
        async with listening("news") as listener:
            broadcast("news", Book(pk=str(sent.pk)))
            assert await heard(listener, 1) == [sent]

    async def test_what_cannot_be_read_is_lost_and_logged_and_the_next_is_not(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Failing(Reading):
            def read(self, references: Iterable[Reference]) -> Any:
                raise OperationalError("the database is away")

        sent = await book()
        async with listening("news", reading=Failing()) as listener, listening("news") as sound:
            broadcast("news", [sent])
            broadcast("news", "next")
            assert await heard(listener, 1) == ["next"]
            assert await heard(sound, 2) == [[sent], "next"]
        assert "Broadcasts are lost" in caplog.text


class Held(Reading):
    """Reads when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = ThreadEvent(), ThreadEvent()

    def read(self, references: Iterable[Reference]) -> Any:
        self.begun.set()
        assert self.may_end.wait(10)
        return super().read(references)


class TestOrder:
    async def test_those_that_need_no_read_wait_for_those_that_do(self) -> None:
        sent, held = await book(), Held()
        async with listening("news", reading=held) as listener:
            for payload in ("first", sent, "third", [sent], "fifth"):
                broadcast("news", payload)
            await asyncio.to_thread(held.begun.wait, 10)
            broadcast("news", "sixth")
            held.may_end.set()
            expected = ["first", sent, "third", [sent], "fifth", "sixth"]
            assert await heard(listener, 6) == expected

    async def test_other_topics_do_not_wait(self) -> None:
        sent, held = await book(), Held()
        async with listening("news", reading=held) as slow, listening("weather") as quick:
            broadcast("news", sent)
            await asyncio.to_thread(held.begun.wait, 10)
            broadcast("weather", "fine")
            assert await heard(quick, 1) == ["fine"]
            held.may_end.set()
            assert await heard(slow, 1) == [sent]

    async def test_each_topic_of_several_threads_and_kinds(
        self, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(BUFFER_SIZE=1000)
        sent = await book()
        topics = [f"topic.{n}" for n in range(5)]

        def tell(topic: str) -> None:
            for n in range(100):
                broadcast(topic, {"topic": topic, "n": n, "book": sent if n % 3 == 0 else None})

        async with listening(*topics) as listener, listening(topics[0]):
            await asyncio.gather(*(asyncio.to_thread(tell, topic) for topic in topics))
            found = await heard(listener, 500)
        for topic in topics:
            assert [each["n"] for each in found if each["topic"] == topic] == list(range(100))
        assert all(each["book"] == (sent if each["n"] % 3 == 0 else None) for each in found)


class TestFairness:
    async def test_ten_thousand_listeners_hold_up_nobody(self) -> None:
        listeners = [Hub.current().broadcasts(["news"]) for _ in range(10_000)]
        reading = [asyncio.create_task(heard(listener, 1)) for listener in listeners]
        async with listening("weather") as other:
            broadcast("news", "Hello")
            broadcast("weather", "fine")
            assert await heard(other, 1) == ["fine"]
            assert sum(task.done() for task in reading) < 1000
            assert await asyncio.gather(*reading) == [["Hello"]] * 10_000
        for listener in listeners:
            await listener.aclose()

    async def test_the_loop_turns_meanwhile(self) -> None:
        listeners = [Hub.current().broadcasts(["news"]) for _ in range(1000)]
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        turning = asyncio.create_task(turn())
        broadcast("news", "Hello")
        for listener in listeners:
            await heard(listener, 1)
            await listener.aclose()
        turning.cancel()
        assert turns >= 1000 // BREATH

    async def test_what_one_listener_cannot_take_the_others_get(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with listening("news") as broken, listening("news") as sound:
            broken.taker = Mock(take=Mock(side_effect=KeyError("a bug")))
            reading = asyncio.create_task(heard(broken, 1))
            await asyncio.sleep(0)
            for n in range(2):  # when the second comes, all were offered the first
                broadcast("news", n)
            assert await heard(sound, 2) == [0, 1]
            reading.cancel()
        assert "lost for one of its listeners" in caplog.text

    async def test_a_slow_reader_loses_the_oldest(
        self, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(BUFFER_SIZE=3)
        async with listening("news") as slow, listening("news") as quick:
            for n in range(10):
                broadcast("news", n)
                await heard(quick, 1)
            found: list[int] = []
            while 9 not in found:  # which may be on its way yet
                found += await heard(slow, 1)
        assert found in ([7, 8, 9], [6, 7, 8, 9])


async def test_children_of_a_cascade_are_gone_with_it() -> None:
    sent = await book()
    page = await in_database(Page.objects.create)(book=sent, number=1)
    await in_database(Book.objects.filter(pk=sent.pk).delete)()
    async with listening("news") as listener:
        broadcast("news", [page])
        assert await heard(listener, 1) == [[None]]
