"""The hub: follows the log for one event loop and hands its events to subscriptions."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence, Set
from contextlib import suppress
from time import monotonic
from typing import Any, ClassVar

from realtime import doorbell, log, tasks
from realtime.audience import Audience, Broadcasts
from realtime.conf import get_settings
from realtime.cursor import Position
from realtime.database import Threads, fresh_context, in_database
from realtime.delivery import BREATH, Delivery, Entry, Feed
from realtime.exceptions import CursorExpiredError, LoadError, TopicNameError, UnavailableError
from realtime.followed import Followed, FollowedTopics
from realtime.gathering import Gathered
from realtime.loading import Batch, ByTopic, Loader
from realtime.member import Member
from realtime.models import is_topic_name
from realtime.reading import AS_THEY_ARE, Reading
from realtime.replay import Replays
from realtime.subscription import Subscription, hand_out, resumed

logger = logging.getLogger("realtime.hub")

GIVE_WAY = 1.0
"""Seconds for which a replay waits at most for live deliveries."""


class Hub:
    """Follows the log of the topics that have subscriptions, reading it once for all of them.

    It runs while anyone subscribes. Get the running loop's own with `Hub.current()`.
    """

    handed_out: ClassVar[int] = 0
    """Events that the hubs of this process have handed out."""

    def __init__(self) -> None:
        self._topics = FollowedTopics()
        self._audience = Audience(self._first_done)
        self._members: set[Member[Any]] = set()
        """All who have not left, also those whose topics have expired."""
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._sweep_at = 0.0
        self._served: Set[str] = set()
        """The topics that had their turn, while there is too much for one."""
        self._is_handing_out = False
        self._round = asyncio.Event()
        """Set at the end of the round of handing out that is under way."""
        self._loader = Loader()
        self._replays = Replays(self.hand_out_first, self._live_first)
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
        await self.join(subscription, after=after)
        return subscription

    async def join(self, subscription: Subscription, *, after: str | None = None) -> None:
        """Make a subscription live; it is closed where that fails. Raises what `subscribe` does."""
        self._topics.join(subscription)
        self._members.add(subscription)
        self._start()
        try:
            start: Mapping[str, Position]
            if after is None:
                start = heads = await self._heads(subscription.topics)
            else:
                extents = await self._extents(subscription.topics)
                heads = {topic: extent.head for topic, extent in extents.items()}
                start = resumed(after, extents)
            if self._topics.begin(heads):
                self._wake.set()
            subscription.begin(start)
            handed_out = self.positions(heads)
            # Behind by its cursor; or without one, where another reader of the heads was quicker.
            if any(position > start[topic].offset for topic, position in handed_out.items()):
                subscription.fall_behind()
        except BaseException:
            await subscription.aclose()
            raise

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
                asyncio.create_task(coroutine, name=name, context=fresh_context(Threads.HUB))
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
                self._topics.leave(member)
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

    def positions(self, topics: Collection[str]) -> dict[str, int]:
        """Return how far the events of these topics were handed out."""
        return self._topics.handed_out(topics)

    async def replay(
        self, feed: Feed, behind: Mapping[str, Position]
    ) -> Mapping[str, Sequence[Entry]]:
        """Return a batch of what follows on these positions. Raises CursorExpiredError."""
        return await self._replays.read(feed, behind)

    async def hand_out_first(self) -> None:
        """Return when all is handed out that goes first, and is committed by now."""
        if first := self._topics.first():
            for name, head in (await self._heads(first)).items():
                if self._topics.get(name) is first[name][0]:
                    self._topics.note(name, head.offset)
            await self._first_done()

    async def _first_done(self) -> None:
        """Return when all is handed out that goes first, and was told of."""
        while self._topics.first_are_behind():
            self._wake.set()
            await self._round.wait()

    async def _live_first(self) -> None:
        """Return when the live deliveries that are due were handed out, one round of them.

        Not later than after some time: where the log cannot be read, replays are to fail, too.
        """
        if self._is_handing_out or self._topics.behind():
            await tasks.in_time(self._round.wait(), GIVE_WAY)

    def _hear(self, message: doorbell.Message) -> None:
        for name, (offset, epoch) in message.heads.items():
            topic = self._topics.get(name)
            if topic is None:
                continue
            if not topic.has_epoch(epoch):
                # The log was rebuilt, or the ring is from before that: the database knows.
                self._sweep_at = 0.0
                self._wake.set()
            elif self._topics.note(name, offset):
                self._wake.set()
        for name, text in message.broadcasts:
            self._audience.hear(name, text)

    async def _expire(self, name: str) -> None:
        """End the subscriptions of a topic whose log does not go on from where they stand."""
        for subscription in self._topics.drop(name):
            subscription.fail(CursorExpiredError(name))
            await asyncio.sleep(0)

    async def _follow(self) -> None:
        """Hand out what the doorbell tells of, and sweep for what it did not tell of."""
        interval = get_settings().sweep_interval
        self._sweep_at = monotonic() + interval
        failing = is_closing = False
        read_at = monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0, self._sweep_at - monotonic())):
                    await self._wake.wait()
            self._wake.clear()
            self._is_handing_out = True
            try:
                if monotonic() >= self._sweep_at:
                    self._sweep_at = monotonic() + interval
                    self._replays.forget()
                    await self._sweep()
                if behind := self._topics.behind():
                    await self._advance(behind)
            except Exception:
                # Nothing was handed out and no position moved: the next round reads it again.
                if not failing:
                    logger.exception("The log cannot be followed; trying again.")
                failing = True
                if monotonic() - read_at >= get_settings().log_timeout:
                    if not is_closing:
                        logger.error("The log cannot be read: its subscriptions are closed.")
                    is_closing = True
                    await self._close_subscriptions()
                await asyncio.sleep(interval)
                self._wake.set()
            else:
                if failing:
                    logger.info("The log is followed again.")
                failing = is_closing = False
                read_at = monotonic()
            self._is_handing_out = False
            self._round.set()
            self._round = asyncio.Event()

    async def _close_subscriptions(self) -> None:
        """End all subscriptions, so that their clients come back, perhaps to another process."""
        for member in [*self._members]:
            if isinstance(member, Subscription) and not member.is_first:
                member.fail(UnavailableError())
                await asyncio.sleep(0)

    async def _sweep(self) -> None:
        # As positions are now: they may grow while the log is asked.
        following = self._topics.positions()
        if not following:
            return
        known = {name: position for name, (_, position) in following.items()}
        for name, head in (await in_database(log.changed)(known)).items():
            topic, position = following[name]
            if self._topics.get(name) is not topic:
                continue
            if head.offset < position.offset or not topic.has_epoch(head.epoch):
                await self._expire(name)
            else:
                topic.epoch = head.epoch
                if self._topics.note(name, head.offset):
                    self._wake.set()

    async def _advance(self, behind: Mapping[str, tuple[Followed, int]]) -> None:
        """Read one batch of the topics that are behind, load what is shown of it, hand it out.

        One batch a round, so that a busy topic starves no other.
        """
        first = self._topics.first()
        others = {name: behind[name] for name in behind.keys() - self._served} or behind
        others = {name: others[name] for name in others.keys() - first.keys()}
        chosen = first | others
        feeds = {name: {*topic.members} for name, (topic, _) in chosen.items()}
        told = {name: topic.heard for name, (topic, _) in chosen.items()}
        batch = await in_database(self._loader.read)(
            {name: position for name, (_, position) in others.items()},
            feeds,
            limit=get_settings().read_batch,
            first={name: position for name, (_, position) in first.items()},
        )
        if self._topics.first().keys() - first.keys():
            self._wake.set()  # what goes first was posted meanwhile, and not read
            return
        # A read that is full may have had no room for other topics: these come first.
        self._served = self._served | batch.events.keys() if batch.is_full else set()
        news_of: list[tuple[str, Followed]] = []
        for name, (topic, position) in chosen.items():
            if self._topics.get(name) is not topic:
                continue
            news = batch.events.get(name, [])
            if not log.continues(news, position) or (
                news and not topic.has_epoch(news[0].topic.epoch)
            ):
                await self._expire(name)
            elif news:
                topic.position, topic.epoch = news[-1].offset, news[-1].topic.epoch
                Hub.handed_out += len(news)
                news_of.append((name, topic))
            elif not batch.is_full and topic.heard == told[name]:
                topic.heard = position  # told of what the log does not hold
        if self._topics.behind():
            self._wake.set()
        await self._hand_out(self._keep(batch), news_of, feeds)

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
        news_of: Sequence[tuple[str, Followed]],
        feeds: Mapping[str, Collection[Feed]],
    ) -> None:
        """Give the members of these topics what was loaded for their fields, with breaths between.

        Who comes meanwhile has read a head that is beyond it, or reads it from the log:
        the positions stand already where they will be.
        """
        for name, topic in news_of:
            for feed, members in [*topic.members.items()]:
                shown = loaded.get(feed, {})
                if feed not in feeds[name]:  # nobody had the field when this was read
                    for subscription in [*members]:
                        subscription.fall_behind()
                        await asyncio.sleep(0)
                elif isinstance(shown, LoadError):
                    for subscription in [*members]:
                        subscription.fail(shown)
                        await asyncio.sleep(0)
                elif deliveries := shown.get(name):
                    await _push(deliveries, [*members])


async def _push(deliveries: Sequence[Delivery], subscriptions: Sequence[Subscription]) -> None:
    taken = 0
    for subscription in hand_out(deliveries, subscriptions):
        if subscription is not None and not _has_work(subscription, deliveries):
            taken += len(deliveries)
            if taken < BREATH:
                continue
            taken = 0
        # Also lest others need the result that a first one is to make.
        await asyncio.sleep(0)


def _has_work(subscription: Subscription, deliveries: Sequence[Delivery]) -> bool:
    """Push what one is to get; return whether its reader has something to do now."""
    try:
        return subscription.push(deliveries)
    except Exception as error:
        subscription.fail(error)  # of one reader alone, and so are its faults
        return True


_running: dict[asyncio.AbstractEventLoop, Hub] = {}


def followed_topics() -> int:
    """Count the topics that the hubs of this process follow."""
    return sum(len(hub._topics) for hub in list(_running.values()))
