"""What the log holds beyond some offsets and what the fields show of it, for all subscribers."""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from secrets import token_hex
from typing import NamedTuple

from realtime import log
from realtime.database import is_outage
from realtime.delivery import Delivery, Feed
from realtime.exceptions import LoadError
from realtime.models import Event

logger = logging.getLogger("realtime.loading")

ByTopic = Mapping[str, Sequence[Delivery]]


class Batch(NamedTuple):
    """One read of the log."""

    events: Mapping[str, Sequence[Event]]
    """By topic."""
    is_full: bool
    """Whether there may be more."""
    shown: Mapping[Feed, ByTopic | LoadError]
    """What each field shows of the events of its topics; of a field that fails, the error."""


class Loader:
    """Reads the log, and loads the values of the fields that follow it."""

    def __init__(self) -> None:
        self._suspects: set[Feed] = set()
        """Fields that failed last with an error of the database, be it that which is away."""

    def read(
        self,
        after: Mapping[str, int],
        feeds: Mapping[str, Collection[Feed]],
        *,
        limit: int,
        first: Mapping[str, int],
    ) -> Batch:
        """Read what lies beyond these offsets, and load it for the fields of each topic.

        Of those topics that go first, all of it, and when the values of the others were
        loaded: so nothing is missing that was committed before these. Runs in a database
        thread: one hop for all. Raises OperationalError and InterfaceError when the
        database may be away.
        """
        events = log.read(after, limit=limit) if after else []
        others = log.by_topic(events)
        shown = self._shown(others, feeds)
        foremost = log.by_topic(_all_beyond(first))
        for feed, values in self._shown(foremost, feeds).items():
            shown[feed] = _both(shown.get(feed, {}), values)
        return Batch(foremost | others, len(events) == limit, shown)

    def _shown(
        self, events: Mapping[str, Sequence[Event]], feeds: Mapping[str, Collection[Feed]]
    ) -> dict[Feed, ByTopic | LoadError]:
        wanted: dict[Feed, list[Event]] = defaultdict(list)
        for topic, news in events.items():
            for feed in feeds[topic]:
                wanted[feed] += news
        return {feed: self._values(feed, news) for feed, news in wanted.items()}

    def _values(self, feed: Feed, events: Sequence[Event]) -> ByTopic | LoadError:
        try:
            values = feed.values(events)
        except Exception as error:
            if is_outage(error) and feed not in self._suspects:
                self._suspects.add(feed)  # all is read again, once
                raise
            id = token_hex(8)
            logger.exception("%s The values of %s cannot be loaded.", id, feed)
            return LoadError(id)
        self._suspects.discard(feed)
        deliveries: dict[str, list[Delivery]] = defaultdict(list)
        for event, value in values:
            deliveries[event.topic_id].append(Delivery(event, value))
        return deliveries


def _both(some: ByTopic | LoadError, others: ByTopic | LoadError) -> ByTopic | LoadError:
    """Return what a field shows of some topics and of others; the error where it fails."""
    if isinstance(some, LoadError):
        return some
    return others if isinstance(others, LoadError) else {**some, **others}


def _all_beyond(after: Mapping[str, int]) -> list[Event]:
    """Return all events beyond these offsets, in order of offset."""
    events: list[Event] = []
    offsets = dict(after)
    while offsets:
        some = log.read(offsets, limit=log.BATCH)
        events += some
        if len(some) < log.BATCH:
            break
        offsets |= {event.topic_id: event.offset for event in some}
    return events
