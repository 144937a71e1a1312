"""What a reader holds of the hub: the deliveries of some topics."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, Self, TypeVar

from realtime import cursor, tasks
from realtime.conf import get_settings
from realtime.cursor import Position
from realtime.delivery import BREATH, Delivery, Shared
from realtime.eager import Unfinished
from realtime.exceptions import CursorExpiredError, CursorInvalidError
from realtime.log import NOTHING, Extent
from realtime.models import Event

S = TypeVar("S", bound=Shared)


Shown = tuple[Event, Any]
"""An event, and the value that its field shows for it."""


class Entry(NamedTuple):
    """A place in the log, and what a field shows of its event, if anything."""

    position: Position
    delivery: Delivery | None


class Feed(Protocol):
    """What turns events into the values of one field; subscriptions of a field share it."""

    coalesces: bool
    """Whether of several events of one object that wait the newest is enough."""

    def values(self, events: Sequence[Event]) -> list[Shown]:
        """Return the values of a batch, in order; events that the field does not show are left out.

        Runs in a database thread, once per batch whatever the number of subscriptions.
        """


class Member(ABC, Generic[S]):
    """Who is handed out something by a hub; owned by its reader, who ends it with `aclose()`.

    A reader who waits may be spared its turn: the `taker` is called with what it waits for,
    and returns whether it has taken that.
    """

    topics: frozenset[str]
    taker: Callable[[S], bool] | None = None

    def __init__(self, hub: "Follower") -> None:
        self._hub = hub
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._unfinished: Unfinished | None = None

    @property
    @abstractmethod
    def cursor(self) -> str | None:
        """Where the reader stands: behind what it got last; None where nothing is replayed."""

    def __aiter__(self) -> Self:
        return self

    @abstractmethod
    async def __anext__(self) -> S: ...

    async def aclose(self) -> None:
        """Leave the hub. Idempotent."""
        self._closed = True
        self._wake()
        await self._hub.leave(self)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        # Barer than an asyncio.Event: this is done once per subscriber and event.
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            if self._unfinished is None:
                raise
            self._unfinished.cancel()
        if self._unfinished is not None:
            unfinished, self._unfinished = self._unfinished, None
            await unfinished

    def finish(self, unfinished: Unfinished) -> None:
        """Have the reader, who waits, await what its taker has begun."""
        self._unfinished = unfinished
        self._wake()

    def _takes(self, handed: S) -> bool:
        """Offer something to the taker, if the reader waits."""
        waiter = self._waiter
        return (
            self.taker is not None
            and waiter is not None
            and not waiter.done()
            and self.taker(handed)
        )


class Follower(Protocol):
    """The hub, as its members see it."""

    def positions(self, topics: Collection[str]) -> dict[str, int]:
        """Return how far the events of these topics were handed out."""

    async def replay(
        self, feed: Feed, behind: Mapping[str, Position]
    ) -> Mapping[str, Sequence[Entry]]:
        """Return a batch of what follows on these positions. Raises CursorExpiredError."""

    async def leave(self, member: Member[Any]) -> None:
        """Hand out nothing more to this member. Idempotent."""


class Subscription(Member[Delivery]):
    """The deliveries of some topics, in the order of each log: none twice, none missing.

    It holds a bounded number of deliveries for a slow reader. Beyond it they are
    dropped here and read from the log again when the reader has come so far.
    """

    live: ClassVar[int] = 0
    """Subscriptions of this process that have not ended."""
    overflows: ClassVar[int] = 0
    """How often more waited for one of them than it may hold."""

    def __init__(self, hub: Follower, topics: Collection[str], feed: Feed) -> None:
        super().__init__(hub)
        self.topics = frozenset(topics)
        Subscription.live += 1
        self.feed = feed
        self._read: dict[str, int] = {}
        """Up to where the log was read for it."""
        self._received: dict[str, Position] = {}
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
        return cursor.to_text(self._received)

    async def __anext__(self) -> Delivery:
        while True:
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            if self._replayed:
                if len(self._replayed) % BREATH == 0:
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
                if delivery.position.offset > self._read[delivery.topic]:
                    self._read[delivery.topic] = delivery.position.offset
                    return self._deliver(delivery)
            else:
                await self._wait()

    async def aclose(self) -> None:
        """Leave the hub. Idempotent."""
        Subscription.live -= not self._closed
        await super().aclose()

    def _deliver(self, delivery: Delivery) -> Delivery:
        self._received[delivery.topic] = delivery.position
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

    def push(self, deliveries: Sequence[Delivery]) -> None:
        """Take what the hub hands out."""
        if self._behind or self._closed:
            return  # it will be read from the log
        if self.taker is not None:
            deliveries = self._offer(deliveries)
            if not deliveries:
                return
        self._live = self._with(self._live, deliveries)
        if self._is_too_much():
            Subscription.overflows += 1
            self.fall_behind()
        else:
            self._wake()

    def _is_too_much(self) -> bool:
        waiting, settings = self._live, get_settings()
        return len(waiting) > settings.buffer_size or (
            len(waiting) > 1 and sum(each.weight for each in waiting) > settings.buffer_weight
        )

    def _offer(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Let the taker have what it takes at once; return the rest."""
        for n, delivery in enumerate(deliveries):
            topic, position = delivery.topic, delivery.position
            if position.offset <= self._read[topic]:
                continue
            before = self._received[topic]
            self._received[topic] = position
            if not self._takes(delivery):
                self._received[topic] = before
                return deliveries[n:]
            self._read[topic] = position.offset
        return ()

    def _with(self, waiting: list[Delivery], news: Iterable[Delivery]) -> list[Delivery]:
        if not self.feed.coalesces:
            waiting.extend(news)
            return waiting
        newest: dict[tuple[str, str], Delivery] = {}
        for delivery in (*waiting, *news):
            about = (delivery.topic, delivery.event.object_id)
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
