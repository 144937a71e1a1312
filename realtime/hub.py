"""The hub: follows the log for one event loop and hands its events to subscriptions."""

import asyncio
import contextvars
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic
from typing import Any, ClassVar

from realtime import doorbell, log, tasks
from realtime.audience import Audience, Broadcasts
from realtime.conf import get_settings
from realtime.cursor import Position
from realtime.database import in_database
from realtime.delivery import BREATH, Delivery
from realtime.exceptions import CursorExpiredError, LoadError, TopicNameError
from realtime.gathering import Gathered
from realtime.loading import Batch, ByTopic, Loader
from realtime.models import is_topic_name
from realtime.reading import AS_THEY_ARE, Reading
from realtime.replay import Replays
from realtime.subscription import Entry, Feed, Member, Subscription, resumed

logger = logging.getLogger("realtime.hub")


@dataclass(eq=False, slots=True)
class _Followed:
    """A topic that somebody here subscribes to."""

    position: int | None = None
    """Offset up to which its events were handed out; None until its head was read."""
    epoch: str = ""
    heard: int = 0
    """The highest offset that a doorbell or the sweep has told of."""
    subscriptions: dict[Feed, set[Subscription]] = field(default_factory=dict)


class Hub:
    """Follows the log of the topics that have subscriptions, reading it once for all of them.

    It runs while anyone subscribes. Get the running loop's own with `Hub.current()`.
    """

    handed_out: ClassVar[int] = 0
    """Events that the hubs of this process have handed out."""

    def __init__(self) -> None:
        self._followed: dict[str, _Followed] = {}
        self._audience = Audience()
        self._members: set[Member[Any]] = set()
        """All who have not left, also those whose topics have expired."""
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._sweep_at = 0.0
        self._behind: set[str] = set()
        """The topics of which more was heard than handed out."""
        self._served: set[str] = set()
        """Those of them that had their turn, while there is too much for one."""
        self._loader = Loader()
        self._replays = Replays()
        self._heads = Gathered(log.heads)
        self._extents = Gathered(log.extents)

    @classmethod
    def current(cls) -> "Hub":
        """Return the hub of the running event loop."""
        return _running.get(asyncio.get_running_loop()) or cls()

    async def subscribe(
        self, topics: Collection[str], feed: Feed, *, after: str | None = None
    ) -> Subscription:
        """Return a live subscription: every event committed from now on will reach it.

        With `after`, a cursor, every event since then. Raises CursorInvalidError,
        CursorExpiredError or TopicNameError.
        """
        if not all(map(is_topic_name, topics)):
            raise TopicNameError  # here, since look-ups of many go together
        subscription = Subscription(self, topics, feed)
        self._join(subscription)
        try:
            start: Mapping[str, Position]
            if after is None:
                start = heads = await self._heads(subscription.topics)
            else:
                extents = await self._extents(subscription.topics)
                heads = {topic: extent.head for topic, extent in extents.items()}
                start = resumed(after, extents)
            self._begin(heads)
            subscription.begin(start)
            handed_out = self.positions(heads)
            # Behind by its cursor; or without one, where another reader of the heads was quicker.
            if any(position > start[topic].offset for topic, position in handed_out.items()):
                subscription.fall_behind()
        except BaseException:
            await subscription.aclose()
            raise
        return subscription

    def broadcasts(self, topics: Collection[str], reading: Reading = AS_THEY_ARE) -> Broadcasts:
        """Return the ephemeral broadcasts of some topics from now on."""
        listener = Broadcasts(self, topics, reading)
        self._audience.join(listener)
        self._members.add(listener)
        self._start()
        return listener

    def _start(self) -> None:
        if not self._tasks:
            _running[asyncio.get_running_loop()] = self
            doorbell.attach(self._hear)
            # A fresh context: these tasks outlive the connection that happens to start them.
            self._tasks = [
                asyncio.create_task(coroutine, name=name, context=contextvars.Context())
                for name, coroutine in (
                    ("realtime-hub", self._follow()),
                    ("realtime-doorbell", doorbell.receive(self._hear)),
                    ("realtime-broadcasts", self._audience.hand_out()),
                    ("realtime-references", self._audience.read()),
                )
            ]

    async def leave(self, member: Member[Any]) -> None:
        """Hand out nothing more to this member, and rest when it was the last. Idempotent."""
        self._members.discard(member)
        match member:
            case Subscription():
                self._unfollow(member)
            case Broadcasts():
                self._audience.leave(member)
        if not self._tasks or self._members:
            return
        running, self._tasks = self._tasks, []
        _running.pop(asyncio.get_running_loop(), None)
        doorbell.detach(self._hear)
        await tasks.end(running)
        for each in (self._replays, self._heads, self._extents):
            await each.aclose()

    def _join(self, subscription: Subscription) -> None:
        self._members.add(subscription)
        for topic in subscription.topics:
            followed = self._followed.setdefault(topic, _Followed())
            followed.subscriptions.setdefault(subscription.feed, set()).add(subscription)
        self._start()

    def _unfollow(self, subscription: Subscription) -> None:
        for topic in subscription.topics:
            followed = self._followed.get(topic)
            members = followed and followed.subscriptions.get(subscription.feed)
            if not followed or not members:
                continue  # never joined, or ended by `_expire`
            members.discard(subscription)
            if not members:
                del followed.subscriptions[subscription.feed]
            if not followed.subscriptions:
                del self._followed[topic]

    def positions(self, topics: Collection[str]) -> dict[str, int]:
        """Return how far the events of these topics were handed out."""
        return {
            topic: self._followed[topic].position or 0
            for topic in topics
            if topic in self._followed
        }

    async def replay(
        self, feed: Feed, behind: Mapping[str, Position]
    ) -> Mapping[str, Sequence[Entry]]:
        """Return a batch of what follows on these positions. Raises CursorExpiredError."""
        return await self._replays.read(feed, behind)

    def _begin(self, heads: Mapping[str, Position]) -> None:
        """Start to follow topics of which no position was known, from the heads just read."""
        for topic, head in heads.items():
            followed = self._followed.get(topic)
            if followed is not None and followed.position is None:
                followed.position, followed.epoch = head
                self._note(topic, followed, followed.heard)

    def _hear(self, message: doorbell.Message) -> None:
        for topic, (offset, epoch) in message.heads.items():
            followed = self._followed.get(topic)
            if followed is None:
                continue
            if followed.epoch not in {"", epoch}:
                # The log was rebuilt, or the ring is from before that: the database knows.
                self._sweep_at = 0.0
                self._wake.set()
            else:
                self._note(topic, followed, offset)
        for topic, text in message.broadcasts:
            self._audience.hear(topic, text)

    def _note(self, topic: str, followed: _Followed, offset: int) -> None:
        """Note that a topic has come to an offset, as one was told."""
        followed.heard = max(followed.heard, offset)
        if followed.position is not None and followed.heard > followed.position:
            self._behind.add(topic)
            self._wake.set()

    async def _expire(self, topic: str) -> None:
        """End the subscriptions of a topic whose log does not go on from where they stand."""
        subscriptions = self._followed.pop(topic).subscriptions
        for number, subscription in enumerate(chain(*subscriptions.values())):
            subscription.fail(CursorExpiredError(topic))
            if number % BREATH == 0:
                await asyncio.sleep(0)

    async def _follow(self) -> None:
        """Hand out what the doorbell tells of, and sweep for what it did not tell of."""
        interval = get_settings().sweep_interval
        self._sweep_at = monotonic() + interval
        failing = False
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0, self._sweep_at - monotonic())):
                    await self._wake.wait()
            self._wake.clear()
            try:
                if monotonic() >= self._sweep_at:
                    self._sweep_at = monotonic() + interval
                    self._replays.forget()
                    await self._sweep()
                if self._behind:
                    await self._advance()
            except Exception:
                # Nothing was handed out and no position moved: the next round reads it again.
                if not failing:
                    logger.exception("The log cannot be followed; trying again.")
                failing = True
                await asyncio.sleep(interval)
                self._wake.set()
            else:
                if failing:
                    logger.info("The log is followed again.")
                failing = False

    async def _sweep(self) -> None:
        # As positions are now: they may grow while the log is asked.
        following = {
            topic: (followed, Position(followed.position, followed.epoch))
            for topic, followed in self._followed.items()
            if followed.position is not None
        }
        if not following:
            return
        known = {topic: position for topic, (_, position) in following.items()}
        for topic, head in (await in_database(log.changed)(known)).items():
            followed, position = following[topic]
            if self._followed.get(topic) is not followed:
                continue
            if head.offset < position.offset or followed.epoch not in {"", head.epoch}:
                await self._expire(topic)
            else:
                followed.epoch = head.epoch
                self._note(topic, followed, head.offset)

    async def _advance(self) -> None:
        """Read one batch of the topics that are behind, load what is shown of it, hand it out.

        One batch a round, so that a busy topic starves no other.
        """
        behind: dict[str, tuple[_Followed, int]] = {}
        for topic in self._behind - self._served or self._behind.copy():
            followed = self._followed.get(topic)
            if followed is None or followed.position is None:
                self._behind.discard(topic)
            else:
                behind[topic] = followed, followed.position
        positions = {topic: position for topic, (_, position) in behind.items()}
        feeds = {topic: {*followed.subscriptions} for topic, (followed, _) in behind.items()}
        limit = get_settings().read_batch
        batch = await in_database(self._loader.read)(positions, feeds, limit=limit)
        # A read that is full may have had no room for other topics: these come first.
        self._served = self._served | batch.events.keys() if batch.is_full else set()
        shown = self._keep(batch)
        news_of: list[tuple[str, _Followed]] = []
        for topic, (followed, position) in behind.items():
            if self._followed.get(topic) is not followed:
                continue
            news = batch.events.get(topic, [])
            if not log.continues(news, position) or (
                news and followed.epoch not in {"", news[0].topic.epoch}
            ):
                await self._expire(topic)
                continue
            if news:
                followed.position, followed.epoch = news[-1].offset, news[-1].topic.epoch
                Hub.handed_out += len(news)
                news_of.append((topic, followed))
            elif not batch.is_full:
                followed.heard = position  # told of what the log does not hold
            if followed.heard <= (followed.position or 0):
                self._behind.discard(topic)
        if self._behind:
            self._wake.set()
        await self._hand_out(shown, news_of, feeds)

    def _keep(self, batch: Batch) -> Mapping[Feed, ByTopic | LoadError]:
        """Keep what is shown; return it, with what one who came back has read before in its place.

        So both share the results, too.
        """
        shown: dict[Feed, ByTopic | LoadError] = {}
        for feed, loaded in batch.shown.items():
            if isinstance(loaded, LoadError):
                shown[feed] = loaded
                continue
            kept: dict[str, list[Delivery]] = {}
            for topic, deliveries in loaded.items():
                entries = self._replays.keep(feed, batch.events[topic], deliveries)[topic]
                kept[topic] = [each.delivery for each in entries if each.delivery is not None]
            shown[feed] = kept
        return shown

    async def _hand_out(
        self,
        loaded: Mapping[Feed, ByTopic | LoadError],
        news_of: Sequence[tuple[str, _Followed]],
        feeds: Mapping[str, Collection[Feed]],
    ) -> None:
        """Give the members of these topics what was loaded for their fields, with breaths between.

        Who comes meanwhile has read a head that is beyond it, or reads it from the log:
        the positions stand already where they will be.
        """
        first, handed = True, 0
        for topic, followed in news_of:
            for feed, members in [*followed.subscriptions.items()]:
                shown = loaded.get(feed, {})
                for subscription in [*members]:
                    if feed not in feeds[topic]:  # nobody had the field when this was read
                        subscription.fall_behind()
                        handed += 1
                    elif isinstance(shown, LoadError):
                        subscription.fail(shown)
                        handed += 1
                    elif deliveries := shown.get(topic):
                        subscription.push(deliveries)
                        handed += len(deliveries)
                    if handed >= BREATH or (first and handed):
                        # The very first executes it for the others.
                        first, handed = False, 0
                        await asyncio.sleep(0)


_running: dict[asyncio.AbstractEventLoop, Hub] = {}


def followed_topics() -> int:
    """Count the topics that the hubs of this process follow."""
    return sum(len(hub._followed) for hub in list(_running.values()))
