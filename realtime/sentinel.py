"""Who hears the events of a topic before anyone is handed out what was committed after them."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, Self

from realtime.delivery import Delivery, Feed
from realtime.hub import Hub
from realtime.subscription import Subscription

Hear = Callable[[Sequence[Any] | None], None]
"""Told the values of a batch of events; None where the log does not say what was missed."""


class Sentinel(Subscription):
    """Tells a callback at once, in the hub's own turn; nothing waits, and nobody iterates."""

    __slots__ = ("_hear",)
    is_first: ClassVar[bool] = True

    def __init__(self, hub: Hub, topics: Collection[str], feed: Feed, hear: Hear) -> None:
        super().__init__(hub, topics, feed)
        self._hear = hear

    @classmethod
    async def posted(cls, hub: Hub, topics: Collection[str], feed: Feed, hear: Hear) -> Self:
        """Return one on duty: it hears every event committed from now on."""
        sentinel = cls(hub, topics, feed, hear)
        await hub.join(sentinel)
        return sentinel

    def push(self, deliveries: Sequence[Delivery]) -> bool:
        """Tell of what the hub hands out."""
        self._hear([delivery.value for delivery in deliveries])
        return False

    def fall_behind(self) -> None:
        """Tell that something was missed."""
        self._hear(None)

    def fail(self, error: Exception) -> None:
        """Tell that something was missed; nothing more will come."""
        self._error = error
        self._hear(None)

    @property
    def has_failed(self) -> bool:
        """Whether nothing more will come."""
        return self._error is not None
