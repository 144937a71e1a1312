"""What those read of the log who are behind, once for all who stand at the same place."""

import asyncio
import contextvars
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import NamedTuple

from realtime import log, tasks
from realtime.conf import get_settings
from realtime.cursor import Position
from realtime.database import in_database
from realtime.delivery import Delivery
from realtime.exceptions import CursorExpiredError
from realtime.models import Event
from realtime.subscription import Entry, Feed, Shown

KEEP = 5.0
"""Seconds for which deliveries are kept: those whom a server sends away come back within these."""

MAX_KEPT = 1_000
"""Events and fields of which deliveries are kept; the oldest go first."""

MAX_WEIGHT = 5_000_000
"""Characters of the texts in what is kept."""

Key = tuple[Feed, str, int]
"""Field, topic and offset."""


class _Kept(NamedTuple):
    entry: Entry
    since: float

    @property
    def weight(self) -> int:
        return self.entry.delivery.weight if self.entry.delivery else 0


class Replays:
    """Reads for those who are behind, and keeps for some seconds what was read, by whomever.

    A crowd that comes back has missed the same events: it shares the reads, the values and
    the results.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._weight = 0
        self._reading: dict[object, asyncio.Task[Mapping[str, Sequence[Entry]]]] = {}

    async def read(self, feed: Feed, behind: Mapping[str, int]) -> Mapping[str, Sequence[Entry]]:
        """Return what follows on these offsets, a batch at most, of each topic without a hole.

        Raises CursorExpiredError where the log does not go on from there.
        """
        if kept := self._following(feed, behind):
            return kept
        place = (feed, frozenset(behind.items()))
        reading = self._reading.get(place)
        if reading is None:
            # A fresh context: it may outlive the connection that happens to ask first.
            reading = self._reading[place] = asyncio.create_task(
                self._read(feed, behind), name="realtime-replay", context=contextvars.Context()
            )
            reading.add_done_callback(lambda _: self._reading.pop(place))
        return await tasks.result(reading)

    def keep(
        self, feed: Feed, events: Iterable[Event], deliveries: Iterable[Delivery]
    ) -> dict[str, list[Entry]]:
        """Keep what a field shows of events; return it, with what was kept already in its place."""
        shown = {(each.topic, each.position.offset): each for each in deliveries}
        entries: dict[str, list[Entry]] = {}
        now = monotonic()
        for event in events:
            position = Position(event.offset, event.topic.epoch)
            key = (feed, event.topic_id, event.offset)
            kept = self._kept.get(key)
            if kept is None or kept.entry.position != position:
                entry = Entry(position, shown.get((event.topic_id, event.offset)))
                kept = _Kept(entry, now)
                self._forget(key)
                self._kept[key] = kept
                self._weight += kept.weight
            entries.setdefault(event.topic_id, []).append(kept.entry)
        self.forget()
        return entries

    def forget(self) -> None:
        """Forget what is too old, or too much."""
        oldest = monotonic() - KEEP
        while self._kept:
            key, kept = next(iter(self._kept.items()))
            is_too_much = len(self._kept) > MAX_KEPT or self._weight > MAX_WEIGHT
            if kept.since > oldest and not is_too_much:
                return
            self._forget(key)

    async def aclose(self) -> None:
        """End what is being read. Idempotent."""
        await tasks.end(self._reading.values())

    def _forget(self, key: Key) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._weight -= kept.weight

    def _following(self, feed: Feed, behind: Mapping[str, int]) -> dict[str, list[Entry]]:
        self.forget()
        found: dict[str, list[Entry]] = {}
        for topic, offset in behind.items():
            while (kept := self._kept.get((feed, topic, offset + 1))) is not None:
                found.setdefault(topic, []).append(kept.entry)
                offset += 1
        return found

    async def _read(self, feed: Feed, behind: Mapping[str, int]) -> Mapping[str, Sequence[Entry]]:
        def read() -> tuple[list[Event], list[Shown]]:
            events = log.read(behind, limit=get_settings().read_batch)
            return events, feed.values(events)

        events, values = await in_database(read)()
        by_topic = log.by_topic(events)
        for topic, news in by_topic.items():
            if not log.continues(news, behind[topic]):
                raise CursorExpiredError(topic)
        if not events:
            raise CursorExpiredError(next(iter(behind)))
        return self.keep(feed, events, [Delivery(event, value) for event, value in values])
