"""The audience: who listens to broadcasts on one event loop, and how they come to it."""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from realtime.conf import get_settings
from realtime.database import in_database
from realtime.delivery import BREATH, Shared
from realtime.member import Follower, Member
from realtime.payloads import Instances, Payload, Reference, from_text
from realtime.reading import Reading

logger = logging.getLogger("realtime.audience")


class Broadcasts(Member[Shared]):
    """The broadcasts of some topics from now on; a slow reader loses the oldest."""

    __slots__ = ("_waiting", "reading")
    cursor = None

    def __init__(self, hub: Follower, topics: Collection[str], reading: Reading) -> None:
        super().__init__(hub, topics)
        self.reading = reading
        self._waiting: deque[Shared] = deque(maxlen=get_settings().buffer_size)

    async def __anext__(self) -> Shared:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            await self._wait()
        return self._waiting.popleft()

    def push(self, broadcast: Shared) -> bool:
        """Take a broadcast; return whether the reader has something to do now."""
        if self._closed:
            return False
        if (taker := self._can_take()) is not None and taker.take(broadcast):
            return False
        self._waiting.append(broadcast)
        self._wake()
        return True


@dataclass(eq=False, slots=True)
class _Broadcast:
    """One of a topic's that has not been handed out yet."""

    payload: Payload
    values: Mapping[Reading, Shared] | None = None
    """For each way to read its instances; None until they are read."""
    value: Shared | None = None
    """For all, where it has none."""

    @property
    def is_read(self) -> bool:
        return self.value is not None or self.values is not None

    def by(self, reading: Reading) -> Shared | None:
        """Return the value as some listeners read it; None where nothing is left to show."""
        return self.value if self.values is None else self.values.get(reading)


@dataclass(eq=False, slots=True)
class _Topic:
    """A topic that somebody here listens to."""

    listeners: dict[Reading, set[Broadcasts]] = field(default_factory=dict)
    waiting: deque[_Broadcast] = field(
        default_factory=lambda: deque(maxlen=get_settings().buffer_size)
    )
    """What has not been handed out, in order; the oldest is lost first."""
    is_moving: bool = False
    """Whether it is among those that hand out."""


class Audience:
    """Hands the broadcasts of each topic to its listeners, in the order in which they came.

    The topics take turns, listener by listener, so that none waits for the crowd or the
    database reads of another. Two tasks do it, which the hub owns: `hand_out` and `read`.
    """

    def __init__(self, before_handing_out: Callable[[], Awaitable[None]]) -> None:
        self._before_handing_out = before_handing_out
        """Awaited before what has come is handed out: something else may have to go first."""
        self._topics: dict[str, _Topic] = {}
        self._moving: deque[Iterator[bool]] = deque()
        self._unread: set[_Topic] = set()
        self._may_move = asyncio.Event()
        self._may_read = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._topics)

    def join(self, listener: Broadcasts) -> None:
        """Hand out to a listener what comes from now on."""
        for name in listener.topics:
            topic = self._topics.setdefault(name, _Topic())
            topic.listeners.setdefault(listener.reading, set()).add(listener)

    def leave(self, listener: Broadcasts) -> None:
        """Hand out nothing more to a listener. Idempotent."""
        for name in listener.topics:
            topic = self._topics.get(name)
            listeners = topic and topic.listeners.get(listener.reading)
            if not topic or not listeners:
                continue
            listeners.discard(listener)
            if not listeners:
                del topic.listeners[listener.reading]
            if not topic.listeners:
                topic.waiting.clear()
                del self._topics[name]

    def hear(self, name: str, text: str) -> None:
        """Take a broadcast of a topic."""
        topic = self._topics.get(name)
        if topic is None:
            return
        broadcast = _Broadcast(from_text(text))
        topic.waiting.append(broadcast)
        if broadcast.payload.references:
            self._unread.add(topic)
            self._may_read.set()
        else:
            broadcast.value = Shared(broadcast.payload.plain)
            self._move(topic)

    def _move(self, topic: _Topic) -> None:
        if not topic.is_moving and topic.waiting and topic.waiting[0].is_read:
            topic.is_moving = True
            self._moving.append(_steps(topic))
            self._may_move.set()

    async def hand_out(self) -> None:
        """Hand out what is read, with a breath between, until cancelled."""
        taken = 0
        while True:
            await self._may_move.wait()
            self._may_move.clear()
            await self._before_handing_out()
            while self._moving:
                steps = self._moving.popleft()
                is_woken = next(steps, None)
                if is_woken is None:
                    continue
                self._moving.append(steps)
                taken += not is_woken
                if is_woken or taken % BREATH == 0:  # the first executes it for the others
                    await asyncio.sleep(0)
                    await self._before_handing_out()  # for what came meanwhile

    async def read(self) -> None:
        """Read the instances of the broadcasts that wait for it, until cancelled."""
        while True:
            await self._may_read.wait()
            self._may_read.clear()
            unread, self._unread = self._unread, set()
            batch = [
                (topic, broadcast)
                for topic in unread
                for broadcast in topic.waiting
                if not broadcast.is_read
            ]
            instances = await self._instances(batch)
            for _, broadcast in batch:
                broadcast.values = _values(broadcast.payload, instances)
            for topic in unread:
                self._move(topic)

    async def _instances(
        self, batch: Collection[tuple[_Topic, _Broadcast]]
    ) -> dict[Reading, Instances]:
        """Read all instances of a batch at once; a reading that fails is left out."""
        wanted: dict[Reading, set[Reference]] = defaultdict(set)
        for topic, broadcast in batch:
            for reading in topic.listeners:
                wanted[reading] |= broadcast.payload.references
        instances: dict[Reading, Instances] = {}
        for reading, references in wanted.items():
            try:
                instances[reading] = await in_database(reading.read)(references)
            except Exception:
                logger.exception("Broadcasts are lost: their instances cannot be read.")
        return instances


def _values(payload: Payload, instances: Mapping[Reading, Instances]) -> Mapping[Reading, Shared]:
    """Return what is shown, by reading: nothing where the payload was an instance that is gone."""
    values = {reading: payload.value(found) for reading, found in instances.items()}
    return {reading: Shared(value) for reading, value in values.items() if value is not None}


def _steps(topic: _Topic) -> Iterator[bool]:
    """Hand out what is read of a topic, a listener a step; yield whether it was woken."""
    while topic.waiting and topic.waiting[0].is_read:
        broadcast = topic.waiting.popleft()
        for reading, members in [*topic.listeners.items()]:
            shared = broadcast.by(reading)
            if shared is None:
                continue
            for listener in [*members]:
                try:
                    yield listener.push(shared)
                except Exception:
                    logger.exception("A broadcast is lost for one of its listeners.")
    topic.is_moving = False
