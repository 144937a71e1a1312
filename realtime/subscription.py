"""What a reader holds of the hub and its log: the deliveries of some topics."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from realtime import cursor, tasks
from realtime.conf import get_settings
from realtime.cursor import Position
from realtime.delivery import BREATH, Delivery, Feed, Place
from realtime.exceptions import CursorExpiredError, CursorInvalidError
from realtime.log import NOTHING, Extent
from realtime.member import Follower, Member

TURN = 32
"""Events that one who is behind gets in a row, while others are behind, too."""


class Subscription(Member[Delivery]):
    """The deliveries of some topics, in the order of each log: none twice, none missing.

    It holds a bounded number of deliveries for a slow reader. Beyond it they are
    dropped here and read from the log again when the reader has come so far.
    """

    __slots__ = (
        *("_behind", "_error", "_live", "_read", "_received", "_replayed", "_taken", "_targets"),
        "feed",
    )
    is_first: ClassVar[bool] = False
    """Whether it is handed out events before all that were committed after them."""
    live: ClassVar[int] = 0
    """Subscriptions of this process that have not ended."""
    overflows: ClassVar[int] = 0
    """How often more waited for one of them than it may hold."""

    def __init__(self, hub: Follower, topics: Collection[str], feed: Feed) -> None:
        super().__init__(hub, topics)
        Subscription.live += not self.is_first
        self.feed = feed
        self._read: dict[str, int] = {}
        """Up to where the log was read for it."""
        self._received: dict[str, Position] = {}
        self._taken: Place | None = None
        """What its taker had last, if that is not noted in those two."""
        # Lists, since an empty deque has room for 64: of most subscribers nothing waits.
        self._live: list[Delivery] = []
        self._replayed: list[Delivery] = []
        self._targets: dict[str, int] = {}
        self._behind = False
        self._error: Exception | None = None

    def begin(self, positions: Mapping[str, Position]) -> None:
        """Say beyond which position on each topic the deliveries begin."""
        self._received = dict(positions)
        self._read = {topic: position.offset for topic, position in positions.items()}

    @property
    def cursor(self) -> str:
        """Where the reader stands: behind the delivery that it got last."""
        self._note_taken()
        return cursor.to_text(self._received)

    async def __anext__(self) -> Delivery:
        while True:
            self._note_taken()
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            if self._replayed:
                if len(self._replayed) % TURN == 0:
                    await tasks.turn()
                return self._deliver(self._replayed.pop(0))
            if self._behind:
                self._behind = False
                self._live.clear()
                self._targets = self._hub.positions(self.topics)
            if self._targets:
                await self._replay()
            elif self._live:
                delivery = self._live.pop(0)
                topic, position = delivery.place
                if position.offset > self._read[topic]:
                    self._read[topic] = position.offset
                    return self._deliver(delivery)
            else:
                await self._wait()

    async def aclose(self) -> None:
        """Leave the hub. Idempotent."""
        Subscription.live -= not (self._closed or self.is_first)
        await super().aclose()

    def _deliver(self, delivery: Delivery) -> Delivery:
        topic, self._received[topic] = delivery.place
        return delivery

    async def _replay(self) -> None:
        """Read a batch of what the log holds between here and where the hub stood."""
        behind = {
            topic: Position(self._read[topic], self._received[topic].epoch)
            for topic, end in self._targets.items()
            if self._read[topic] < end
        }
        if not behind:
            self._targets = {}
            return
        found = await self._hub.replay(self.feed, behind)
        for topic, entries in found.items():
            if self._received[topic].epoch not in {"", entries[0].position.epoch}:
                raise CursorExpiredError(topic)
        # Only now: what fails or is cancelled above is read again.
        for topic, entries in found.items():
            self._replayed = self._with(
                self._replayed, [each.delivery for each in entries if each.delivery is not None]
            )
            self._read[topic] = entries[-1].position.offset

    def push(self, deliveries: Sequence[Delivery]) -> bool:
        """Take what the hub hands out; return whether the reader has something to do now."""
        taken = 0
        for delivery in deliveries:
            if not self._takes_next(delivery):
                break
            taken += 1
        if taken == len(deliveries):
            return False
        if self._behind or self._closed:
            return False  # it will be read from the log
        self._live = self._with(self._live, deliveries[taken:])
        if self._is_too_much():
            Subscription.overflows += 1
            self.fall_behind()
        else:
            self._wake()
        return True

    def _takes_next(self, delivery: Delivery) -> bool:
        """Offer a delivery to the taker, if the reader waits."""
        if (taker := self._can_take()) is None:
            return False
        before, place = self._taken, delivery.place
        if before is None or before.topic != place.topic:
            self._note_taken()
            read = self._read[place.topic]
        else:
            read = before.position.offset
        if place.position.offset <= read:
            return True
        self._taken = place
        if taker.take(delivery):
            return True
        self._taken = before
        return False

    def _note_taken(self) -> None:
        if self._taken is not None:
            topic, position = self._taken
            self._received[topic] = position
            self._read[topic] = position.offset
            self._taken = None

    def _is_too_much(self) -> bool:
        waiting, settings = self._live, get_settings()
        return len(waiting) > settings.buffer_size or (
            len(waiting) > 1 and sum(each.weight for each in waiting) > settings.buffer_weight
        )

    def _with(self, waiting: list[Delivery], news: Iterable[Delivery]) -> list[Delivery]:
        if not self.feed.coalesces:
            waiting.extend(news)
            return waiting
        newest: dict[tuple[str, str], Delivery] = {}
        for delivery in (*waiting, *news):
            about = (delivery.place.topic, delivery.event.object_id)
            newest.pop(about, None)
            newest[about] = delivery
        return [*newest.values()]

    def fall_behind(self) -> None:
        """Read from the log what was not handed out."""
        self._live.clear()
        self._behind = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """End with an error, which the reader meets at its next step."""
        self._error = error
        self._wake()


def hand_out(
    deliveries: Sequence[Delivery], subscriptions: Iterable[Subscription]
) -> Iterator[Subscription | None]:
    """Write what others have made of a topic's deliveries to those who wait for nothing else.

    Yields those to whom they are still to be pushed, and None where the event loop is to
    serve others, too.
    """
    made = _made(deliveries)
    written = 0
    # One frame of Python for thousands in a row, and few objects: that is what it costs.
    for subscription in subscriptions:
        writer, is_written = subscription.writer, True
        try:
            for place, results in made:
                waiter = subscription._waiter
                if (
                    writer is None
                    or waiter is None
                    or waiter.done()
                    # It had the delivery before this one from here, too: this is not there twice.
                    or subscription._taken is None
                    or (result := results.get(subscription.key)) is None
                    or not writer.write(result)
                ):
                    is_written = False
                    break
                subscription._taken = place
        except Exception:
            is_written = False  # it is one's own alone, who meets it again
        if is_written:
            written += len(made)
            if written < BREATH:
                continue
            written = 0
        yield None if is_written else subscription
        made = _made(deliveries)  # there may be more, and rights may have changed


def _made(deliveries: Sequence[Delivery]) -> list[tuple[Place, Mapping[Hashable, str]]]:
    return [(delivery.place, delivery.results) for delivery in deliveries]


def resumed(after: str, extents: Mapping[str, Extent]) -> Mapping[str, Position]:
    """Return where a cursor stands in logs of these extents.

    Raises CursorInvalidError or CursorExpiredError.
    """
    if after == cursor.BEGINNING:
        return {
            topic: Position(extent.tail, extent.head.epoch) for topic, extent in extents.items()
        }
    try:
        positions = cursor.from_text(after, extents)
    except ValueError:
        raise CursorInvalidError from None
    if positions is None:
        raise CursorExpiredError(", ".join(sorted(extents)))
    for topic, position in positions.items():
        head, tail = extents[topic]
        # A cursor from before the first event of a topic knows no epoch.
        is_foreign = position.epoch != head.epoch and position != NOTHING
        if is_foreign or not tail <= position.offset <= head.offset:
            raise CursorExpiredError(topic)
    return positions
