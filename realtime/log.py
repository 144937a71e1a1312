"""The log of events: appended in the transaction of the change, read by position."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from secrets import token_hex
from typing import NamedTuple

from django.db import connections, router, transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from realtime import cursor
from realtime.compiled import Compiled, Slot
from realtime.cursor import Position
from realtime.exceptions import ForeignDatabaseError
from realtime.models import Event, Topic
from realtime.statements import insert, quoted

BATCH = 200
"""Topics in one statement: far below every backend's limit of parameters and expression depth."""


class Change(NamedTuple):
    """What happened to one object, for one topic; an event that has no offset yet."""

    topic: str
    kind: Event.Kind
    object_id: str
    data: dict[str, object]


NOTHING = Position(0, "")
"""The head of a topic on which nothing was ever published."""


def append(changes: Sequence[Change], *, using: str) -> dict[str, Position]:
    """Append the changes, in their order, and return the new heads of their topics.

    Topics are locked in sorted order until the transaction ends, so two appends
    cannot deadlock. Call it once a transaction: `publishing()` does. Raises
    ForeignDatabaseError.
    """
    if using != (own := router.db_for_write(Event)):
        raise ForeignDatabaseError(using=using, log=own)
    counts = Counter(change.topic for change in changes)
    with transaction.atomic(using=using, savepoint=False):
        heads = _advance(sorted(counts.items()), using)
        now = timezone.now()
        offsets = {topic: head.offset - counts[topic] for topic, head in heads.items()}
        rows = []
        for change in changes:
            offsets[change.topic] += 1
            rows.append((change.topic, offsets[change.topic], *change[1:], now))
        columns = ("topic_id", "offset", "kind", "object_id", "data", "created_at")
        insert(Event, columns, rows, using=using)
    return heads


def _advance(counts: Sequence[tuple[str, int]], using: str) -> dict[str, Position]:
    """Take the offsets: one upsert, whose row locks are held to the end of the transaction."""
    table, name, offset, epoch = quoted(using, Topic._meta.db_table, "name", "offset", "epoch")
    heads = insert(
        Topic,
        ("name", "offset", "epoch"),
        [(topic, count, token_hex(4)) for topic, count in counts],
        using=using,
        then=f"ON CONFLICT ({name}) DO UPDATE SET {offset} = {table}.{offset} + excluded.{offset}"
        f" RETURNING {name}, {offset}, {epoch}",
    )
    return {topic: Position(*head) for topic, *head in heads}


def read(after: Mapping[str, int], *, limit: int) -> list[Event]:
    """Return the events beyond the given offset of each topic, in order of offset.

    At most `limit` events, with their topics; where that cuts, the rest is found by reading again
    from the offsets reached.
    """
    positions = list(after.items())
    if len(positions) == 1:
        [(topic, offset)] = positions
        return _following(limit)(router.db_for_write(Event), topic, offset)
    events: list[Event] = []
    for start in range(0, len(positions), BATCH):
        events += _read(positions[start : start + BATCH], limit - len(events))
        if len(events) >= limit:
            break
    return events


@cache
def _following(limit: int) -> Compiled[Event]:
    """Return what finds the events of one topic beyond an offset."""
    of, offset = map(Event._meta.get_field, ("topic", "offset"))
    return Compiled(
        lambda using: (
            Event.objects.using(using)
            .select_related("topic")
            .filter(topic=Slot(0, of), offset__gt=Slot(1, offset))
            .order_by("offset")[:limit]
        )
    )


def _read(positions: Sequence[tuple[str, int]], limit: int) -> Iterator[Event]:
    using = router.db_for_write(Event)
    events, topics, topic, name, offset, epoch = quoted(
        using, Event._meta.db_table, Topic._meta.db_table, "topic_id", "name", "offset", "epoch"
    )
    beyond = f"event.{topic} = %s AND event.{offset} > %s"
    # Once an event, in every process: the ORM's compiler would take five times as long.
    found = Event.objects.using(using).raw(
        # Only names and placeholders are put into the text.
        f"SELECT event.*, topic.{offset} AS head, topic.{epoch} AS epoch"  # noqa: S608
        f" FROM {events} event JOIN {topics} topic ON topic.{name} = event.{topic}"
        f" WHERE {' OR '.join([beyond] * len(positions))}"
        f" ORDER BY event.{topic}, event.{offset} LIMIT %s",
        [*(value for position in positions for value in position), limit],
    )
    for event in found:
        head = (event.topic_id, event.__dict__.pop("head"), event.__dict__.pop("epoch"))
        event.topic = Topic.from_db(using, ("name", "offset", "epoch"), head)
        yield event


def heads(topics: Collection[str]) -> dict[str, Position]:
    """Return where the log of each topic ends, NOTHING where it has not begun."""
    names = list(topics)
    found = dict.fromkeys(names, NOTHING)
    using = router.db_for_write(Topic)
    table, *columns = quoted(using, Topic._meta.db_table, "name", "offset", "epoch")
    for start in range(0, len(names), LOOKUP):
        some = names[start : start + LOOKUP]
        with connections[using].cursor() as database:
            database.execute(
                # Only names and placeholders are put into the text.
                f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608
                f" WHERE {columns[0]} IN ({', '.join(['%s'] * len(some))})",
                some,
            )
            found.update((name, Position(*head)) for name, *head in database.fetchall())
    return found


def changed(known: Mapping[str, Position]) -> dict[str, Position]:
    """Return the heads of those topics that stand elsewhere than where they are known to.

    Like `heads`, but one query for tens of thousands, whose cost is the database's alone:
    the topics are one parameter.
    """
    using = router.db_for_write(Topic)
    connection = connections[using]
    if (keys := _KEYS_OF_JSON.get(connection.vendor)) is None:
        found = heads(known)
        return {topic: head for topic, head in found.items() if head != known[topic]}
    table, name, offset, epoch = quoted(using, Topic._meta.db_table, "name", "offset", "epoch")
    standing = {topic: f"{position.offset}:{position.epoch}" for topic, position in known.items()}
    with connection.cursor() as cursor:
        cursor.execute(
            # Only names and placeholders are put into the text.
            f"SELECT known.key, COALESCE({offset}, 0), COALESCE({epoch}, '')"  # noqa: S608
            f" FROM {keys} known LEFT JOIN {table} ON {name} = known.key"
            f" WHERE COALESCE({offset}, 0) || ':' || COALESCE({epoch}, '') <> known.value",
            [json.dumps(standing)],
        )
        return {topic: Position(offset, epoch) for topic, offset, epoch in cursor.fetchall()}


_KEYS_OF_JSON = {"sqlite": "json_each(%s)", "postgresql": "jsonb_each_text(%s::jsonb)"}
"""What makes rows of `key` and `value` of a JSON object."""


class Extent(NamedTuple):
    """What is retained of the log of a topic: the events behind the offset `tail`, up to `head`."""

    head: Position
    tail: int


def extents(topics: Collection[str]) -> dict[str, Extent]:
    """Return what is retained of each topic: nothing where the tail is at the head."""
    found = {topic: Extent(head, head.offset) for topic, head in heads(topics).items()}
    names = list(found)
    for start in range(0, len(names), LOOKUP):
        retained = _events().filter(topic__in=names[start : start + LOOKUP])
        for topic, offset in retained.order_by().values_list("topic").annotate(Min("offset")):
            found[topic] = found[topic]._replace(tail=offset - 1)
    return found


def snapshot(topics: Collection[str]) -> str:
    """Return a cursor to subscribe after; read it before the rows that a client gets with it.

    What is committed between the two is in both: nothing is missed.
    """
    return cursor.to_text(heads(topics))


def prune(before: datetime, *, batch: int = 1_000) -> int:
    """Delete the events that were created before a time; return how many.

    In transactions of one batch, so that writers wait for one at most. Cursors from before
    what is left are refused.
    """
    deleted = 0
    while True:
        oldest = _events().filter(created_at__lt=before).order_by("created_at")
        ids = list(oldest.values_list("pk", flat=True)[:batch])
        deleted += _events().filter(pk__in=ids).delete()[0]
        if len(ids) < batch:
            return deleted


def reset_epochs(*, batch: int = 1_000) -> int:
    """Give every topic a new epoch, so that all cursors are refused; return how many topics."""
    using = router.db_for_write(Topic)
    done, last = 0, ""
    while True:
        query = Topic.objects.using(using).filter(name__gt=last).order_by("name")
        with transaction.atomic(using=using):
            topics = list(query.select_for_update()[:batch])
            for topic in topics:
                topic.epoch = token_hex(4)
            Topic.objects.using(using).bulk_update(topics, ["epoch"])
        done += len(topics)
        if len(topics) < batch:
            return done
        last = topics[-1].name


LOOKUP = 30_000
"""Names in one look-up of heads: SQLite takes 32,766 parameters, PostgreSQL 65,535."""


def by_topic(events: Sequence[Event]) -> dict[str, list[Event]]:
    """Group events by their topic."""
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(event.topic_id, []).append(event)
    return groups


def continues(events: Sequence[Event], position: int) -> bool:
    """Tell whether the events of one topic follow on an offset without a hole."""
    return all(event.offset == position + n for n, event in enumerate(events, start=1))


def _events() -> QuerySet[Event]:
    return Event.objects.using(router.db_for_write(Event))
