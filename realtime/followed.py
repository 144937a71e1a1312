"""The topics that somebody on one event loop subscribes to, and how far each was handed out."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from realtime.cursor import Position
from realtime.delivery import Feed
from realtime.subscription import Subscription


@dataclass(eq=False, slots=True)
class Followed:
    """One topic."""

    position: int | None = None
    """Offset up to which its events were handed out; None until its head was read."""
    epoch: str = ""
    heard: int = 0
    """The highest offset that was told of."""
    members: dict[Feed, set[Subscription]] = field(default_factory=dict)

    def has_epoch(self, epoch: str) -> bool:
        """Tell whether this may be its epoch: before the first event it has none."""
        return self.epoch in {"", epoch}


class FollowedTopics:
    """The topics, by name, and which of them are behind what was told of."""

    def __init__(self) -> None:
        self._topics: dict[str, Followed] = {}
        self._behind: set[str] = set()
        self._first: dict[str, Followed] = {}

    def __len__(self) -> int:
        return len(self._topics)

    def get(self, name: str) -> Followed | None:
        """Return a topic, if it is followed."""
        return self._topics.get(name)

    def join(self, subscription: Subscription) -> None:
        """Follow the topics of a subscription."""
        for name in subscription.topics:
            topic = self._topics.setdefault(name, Followed())
            topic.members.setdefault(subscription.feed, set()).add(subscription)
            if subscription.is_first:
                self._first[name] = topic

    def leave(self, subscription: Subscription) -> None:
        """Follow its topics no more, if it was the last. Idempotent."""
        for name in subscription.topics:
            topic = self._topics.get(name)
            members = topic and topic.members.get(subscription.feed)
            if not topic or not members:
                continue  # never joined, or dropped
            members.discard(subscription)
            if not members:
                del topic.members[subscription.feed]
            if not topic.members:
                del self._topics[name]
                self._first.pop(name, None)

    def drop(self, name: str) -> Iterator[Subscription]:
        """Follow a topic no more; return the subscriptions that it had."""
        self._first.pop(name, None)
        return chain(*self._topics.pop(name).members.values())

    def begin(self, heads: Mapping[str, Position]) -> bool:
        """Start to follow topics of which no position was known, from the heads just read.

        Return whether there is something to read.
        """
        is_behind = False
        for name, head in heads.items():
            topic = self._topics.get(name)
            if topic is not None and topic.position is None:
                topic.position, topic.epoch = head
                is_behind |= self.note(name, topic.heard)
        return is_behind

    def note(self, name: str, offset: int) -> bool:
        """Note that a topic has come to an offset; return whether there is something to read."""
        topic = self._topics[name]
        topic.heard = max(topic.heard, offset)
        is_behind = topic.position is not None and topic.heard > topic.position
        if is_behind:
            self._behind.add(name)
        return is_behind

    def handed_out(self, names: Collection[str]) -> dict[str, int]:
        """Return how far the events of these topics were handed out."""
        return {name: self._topics[name].position or 0 for name in names if name in self._topics}

    def positions(self) -> dict[str, tuple[Followed, Position]]:
        """Return where all topics stand whose head was read."""
        return {
            name: (topic, Position(topic.position, topic.epoch))
            for name, topic in self._topics.items()
            if topic.position is not None
        }

    def first(self) -> dict[str, tuple[Followed, int]]:
        """Return the topics that go before all others, with their positions."""
        return {
            name: (topic, topic.position)
            for name, topic in self._first.items()
            if topic.position is not None
        }

    def first_are_behind(self) -> bool:
        """Tell whether more was told of those than was handed out."""
        return any(topic.heard > position for topic, position in self.first().values())

    def behind(self) -> dict[str, tuple[Followed, int]]:
        """Return the topics of which more was told than handed out, with their positions."""
        behind = {
            name: (topic, topic.position)
            for name in self._behind
            if (topic := self._topics.get(name)) is not None
            and topic.position is not None
            and topic.heard > topic.position
        }
        self._behind = {*behind}
        return behind
