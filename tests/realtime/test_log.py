"""The log: offsets without holes, read by position."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from realtime import log
from realtime.cursor import Position
from realtime.log import NOTHING, Change
from realtime.models import Event, Topic
from realtime.publishing import publish, transactional
from tests.realtime.conftest import change

pytestmark = pytest.mark.django_db(transaction=True)


def offsets(topic: str) -> list[int]:
    return list(
        Event.objects.filter(topic=topic).order_by("offset").values_list("offset", flat=True)
    )


def test_offsets_begin_at_one_and_go_on_a_topic_for_itself() -> None:
    log.append([change("a", 1), change("b", 2), change("a", 3)], using="default")
    heads = log.append([change("a", 4)], using="default")
    assert (offsets("a"), offsets("b"), heads["a"].offset) == ([1, 2, 3], [1], 3)


def test_events_keep_the_order_in_which_they_were_given() -> None:
    log.append([change("a", n) for n in (3, 1, 2)], using="default")
    assert [event.object_id for event in log.read({"a": 0}, limit=10)] == ["3", "1", "2"]


def test_a_rolled_back_offset_is_taken_by_the_next() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        log.append([change("a", 1)], using="default")
        raise RuntimeError
    log.append([change("a", 2)], using="default")
    assert offsets("a") == [1]


def test_the_epoch_lasts_and_changes_with_the_topic() -> None:
    epochs = [log.append([change("a", 1)], using="default")["a"].epoch for _ in range(2)]
    Topic.objects.all().delete()
    assert epochs[0] == epochs[1]
    assert log.append([change("a", 1)], using="default")["a"].epoch != epochs[0]


def test_reading_begins_beyond_the_position_of_each_topic() -> None:
    log.append([change("a", 1), change("a", 2), change("b", 3), change("c", 4)], using="default")
    events = log.read({"a": 1, "b": 0}, limit=10)
    assert [(event.topic_id, event.offset) for event in events] == [("a", 2), ("b", 1)]


def test_reading_goes_on_from_the_offsets_reached() -> None:
    log.append([change(topic, n) for topic in "ab" for n in range(3)], using="default")
    first = log.read({"a": 0, "b": 0}, limit=4)
    rest = log.read({"a": 3, "b": 1}, limit=4)
    assert [(event.topic_id, event.offset) for event in first + rest] == [
        (topic, offset) for topic in "ab" for offset in (1, 2, 3)
    ]


def test_heads_say_where_each_log_ends() -> None:
    appended = log.append([change("a", 1)], using="default")
    assert log.heads(["a", "b"]) == {"a": Position(1, appended["a"].epoch), "b": NOTHING}


@pytest.mark.parametrize("topics", [1, log.BATCH + 1])
def test_many_topics_are_taken_whole(topics: int) -> None:
    log.append([change(f"t{n}", n) for n in range(topics)], using="default")
    names = {f"t{n}": 0 for n in range(topics)}
    assert len(log.heads(names)) == topics
    assert len(log.read(names, limit=10_000)) == topics


@pytest.mark.parametrize(
    ("topics", "writers"),
    [(["hot"], 200), (["a", "b", "c"], 50)],
    ids=["one topic", "several topics in any order"],
)
def test_concurrent_writers_leave_no_hole(topics: list[str], writers: int) -> None:
    """Two hundred writers; those of several topics meet no deadlock, whatever their order."""

    @transactional
    def write(writer: int) -> None:
        for shift in range(len(topics)):
            topic = topics[(writer + shift) % len(topics)]
            publish([Change(topic, Event.Kind.CREATED, str(writer), {})])
        if writer % 10 == 9:
            raise ZeroDivisionError

    def work(writer: int) -> None:
        try:
            write(writer)
        except ZeroDivisionError:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(work, range(writers)))
    for topic in topics:
        assert offsets(topic) == list(range(1, writers * 9 // 10 + 1))
