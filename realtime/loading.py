"""What the fields show of a batch of events, loaded once for all their subscribers."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from secrets import token_hex

from django.db import InterfaceError, OperationalError

from realtime.database import in_database
from realtime.delivery import Delivery
from realtime.exceptions import LoadError
from realtime.models import Event
from realtime.subscription import Feed

logger = logging.getLogger("realtime.loading")

ByTopic = Mapping[str, Sequence[Delivery]]


class Loader:
    """Loads the values of the fields that follow some topics."""

    def __init__(self) -> None:
        self._suspect: Feed | None = None
        """The field that last failed with an error of the database, be it that which is away."""

    async def load(
        self, news: Mapping[str, Sequence[Event]], feeds: Mapping[str, Iterable[Feed]]
    ) -> dict[Feed, ByTopic | LoadError]:
        """Return the deliveries of each field, by topic; of a field that fails, the error.

        `news` and `feeds` are the events and the fields of each topic. Raises
        OperationalError and InterfaceError when the database may be away.
        """
        wanted: dict[Feed, list[Event]] = defaultdict(list)
        for topic, events in news.items():
            for feed in feeds.get(topic, ()):
                wanted[feed] += events
        return {feed: await self._values(feed, events) for feed, events in wanted.items()}

    async def _values(self, feed: Feed, events: Sequence[Event]) -> ByTopic | LoadError:
        try:
            values = await in_database(feed.values)(events)
        except Exception as error:
            is_database = isinstance(error, OperationalError | InterfaceError)
            if is_database and feed is not self._suspect:
                self._suspect = feed  # all is read again, once
                raise
            id = token_hex(8)
            logger.exception("%s The values of a live field cannot be loaded.", id)
            return LoadError(id)
        if feed is self._suspect:
            self._suspect = None
        deliveries: dict[str, list[Delivery]] = defaultdict(list)
        for event, value in values:
            deliveries[event.topic_id].append(Delivery(event, value))
        return deliveries
