"""What those read of the log who are behind, once for all who stand at the same place."""

import asyncio
import contextvars
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic

from realtime import log, tasks
from realtime.conf import get_settings
from realtime.cursor import Position
from realtime.database import in_database
from realtime.delivery import Delivery, Entry, Feed, Place, Shown
from realtime.exceptions import CursorExpiredError
from realtime.models import Event
from realtime.rates import asker
from realtime.turns import Turns

KEEP = 5.0
"""Seconds for which deliveries are kept: those whom a server sends away come back within these."""

MAX_KEPT = 1_000
"""Events and fields of which deliveries are kept; the oldest go first."""

MAX_WEIGHT = 5_000_000
"""Characters of the texts in what is kept."""

AT_ONCE = 2
"""Batches that are read at once: some threads of queries are left for queries, and the thread of
the hub gets the interpreter in time."""

Key = tuple[Feed, str, int]
"""Field, topic and offset."""


class _Kept:
    __slots__ = ("entry", "since", "weight")

    def __init__(self, entry: Entry, since: float) -> None:
        self.entry = entry
        self.since = since
        self.weight = 0

    def weigh(self) -> int:
        """Return by how much it has grown."""
        delivery, before = self.entry.delivery, self.weight
        self.weight = delivery.weight + delivery.results_weight if delivery else 0
        return self.weight - before


class Replays:
    """Reads for those who are behind, and keeps for some seconds what was read, by whomever.

    A crowd that comes back has missed the same events: it shares the reads, the values and
    the results.
    """

    def __init__(
        self,
        before_handing_out: Callable[[], Awaitable[None]],
        before_reading: Callable[[], Awaitable[None]],
    ) -> None:
        self._before_reading = before_reading
        """Awaited before each read: live deliveries go first."""
        self._turns = Turns(AT_ONCE)
        self._before_handing_out = before_handing_out
        """Awaited after each read: something else may have to go first."""
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._weight = 0
        self._latest: list[Key] = []
        """Those of which results may still be made."""
        self._reading: dict[object, asyncio.Task[Mapping[str, Sequence[Entry]]]] = {}

    async def read(
        self, feed: Feed, behind: Mapping[str, Position]
    ) -> Mapping[str, Sequence[Entry]]:
        """Return what follows on these positions, a batch at most, of each topic without a hole.

        Raises CursorExpiredError where the log does not go on from there.
        """
        if kept := self._following(feed, behind):
            return kept
        place = (feed, frozenset(behind.items()))
        if place not in self._reading:
            await self._turns.begin(asker.get())
            is_used = False
            try:
                await self._before_reading()
                if kept := self._following(feed, behind):  # another has read it meanwhile
                    return kept
                if place not in self._reading:
                    self._begin(feed, behind, place)
                    is_used = True
            finally:
                if not is_used:
                    self._turns.end()
        return await tasks.result(self._reading[place])

    def _begin(self, feed: Feed, behind: Mapping[str, Position], place: object) -> None:
        """Begin to read, in a turn that ends with it, whoever still waits for it."""

        def end(_: object) -> None:
            del self._reading[place]
            self._turns.end()

        # A fresh context: it may outlive the connection that happens to ask first.
        self._reading[place] = asyncio.create_task(
            self._read(feed, behind), name="realtime-replay", context=contextvars.Context()
        )
        self._reading[place].add_done_callback(end)

    def keep(
        self, feed: Feed, events: Iterable[Event], deliveries: Iterable[Delivery]
    ) -> dict[str, list[Entry]]:
        """Keep what a field shows of events; return it, with what was kept already in its place."""
        shown = {each.place: each for each in deliveries}
        entries: dict[str, list[Entry]] = {}
        now = monotonic()
        latest = []
        for event in events:
            position = Position(event.offset, event.topic.epoch)
            key = (feed, event.topic_id, event.offset)
            kept = self._kept.get(key)
            if kept is None or kept.entry.position != position:
                self._forget(key)
                entry = Entry(position, shown.get(Place(event.topic_id, position)))
                kept = self._kept[key] = _Kept(entry, now)
                latest.append(key)
            entries.setdefault(event.topic_id, []).append(kept.entry)
        self._weigh(self._latest + latest)
        self._latest = latest
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

    def _weigh(self, keys: Iterable[Key]) -> None:
        self._weight += sum(self._kept[key].weigh() for key in keys if key in self._kept)

    def _forget(self, key: Key) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._weight -= kept.weight

    def _following(self, feed: Feed, behind: Mapping[str, Position]) -> dict[str, list[Entry]]:
        self.forget()
        found: dict[str, list[Entry]] = {}
        for topic, (offset, epoch) in behind.items():
            entries: list[Entry] = []
            while (kept := self._kept.get((feed, topic, offset + 1))) is not None:
                if kept.entry.position.epoch != epoch:
                    break  # of a log that was rebuilt
                entries.append(kept.entry)
                offset += 1
            if entries:
                found[topic] = entries
        return found

    async def _read(
        self, feed: Feed, behind: Mapping[str, Position]
    ) -> Mapping[str, Sequence[Entry]]:
        offsets = {topic: position.offset for topic, position in behind.items()}

        def read() -> tuple[list[Event], list[Shown]]:
            events = log.read(offsets, limit=get_settings().read_batch)
            return events, feed.values(events)

        events, values = await in_database(read)()
        await self._before_handing_out()
        by_topic = log.by_topic(events)
        for topic, news in by_topic.items():
            if not log.continues(news, offsets[topic]):
                raise CursorExpiredError(topic)
        if not events:
            raise CursorExpiredError(next(iter(behind)))
        return self.keep(feed, events, [Delivery(event, value) for event, value in values])
