"""Who is handed out something by a hub."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, Generic, Protocol, Self, TypeVar

from realtime import tasks
from realtime.cursor import Position
from realtime.delivery import Entry, Feed, Shared
from realtime.eager import Unfinished
from realtime.extensions import Writer

S = TypeVar("S", bound=Shared)
S_contra = TypeVar("S_contra", bound=Shared, contravariant=True)


class Taker(Protocol[S_contra]):
    """Does what a reader would do, who so is spared its turn."""

    def take(self, shared: S_contra) -> bool:
        """Take what the reader waits for, at once; return whether it could be taken."""


class Member(ABC, Generic[S]):
    """Who is handed out something by a hub; owned by its reader, who ends it with `aclose()`.

    While the reader waits, its `taker` is offered what comes.
    """

    # Thousands are used in a row: the less memory each touches, the faster it is.
    __slots__ = (
        *("_closed", "_hub", "_loop", "_unfinished", "_waiter", "key", "taker", "topics"),
        "writer",
    )

    def __init__(self, hub: "Follower", topics: Collection[str]) -> None:
        self.topics = frozenset(topics)
        self.taker: Taker[S] | None = None
        self.key: Hashable | None = None
        """What others put the results under that are the same as this reader's, if known."""
        self.writer: Writer | None = None
        """Writes the result under the key, where the taker would do nothing else."""
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
        self.taker = self.writer = None  # who has this one, too
        self._wake()
        await self._hub.leave(self)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        if tasks.is_cancelled(self._loop):
            raise asyncio.CancelledError  # what was awaited before has taken it for its own
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

    def _can_take(self) -> Taker[S] | None:
        """Return the taker, if the reader waits."""
        waiter = self._waiter
        return None if waiter is None or waiter.done() else self.taker


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
