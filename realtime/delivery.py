"""What travels from the log to the subscribers of a field, and what they share of it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from realtime.cursor import Position
from realtime.models import Event


class Shared:
    """A value for all subscribers of one field, with the results that they make of it.

    Subscribers whose results cannot differ have the same key: the first makes the
    result, the others take it.
    """

    __slots__ = ("_making", "results", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.results: dict[Hashable, str] = {}
        self._making: dict[Hashable, asyncio.Future[None]] = {}

    async def result(self, key: Hashable, make: Callable[["Shared"], Awaitable[str]]) -> str:
        """Return the result under a key, made by whoever asks first."""
        while (result := self.results.get(key)) is None:
            if (making := self._making.get(key)) is None:
                return await self._make(key, make)
            # If its maker fails or is cancelled, the next makes it.
            await asyncio.wait({making})
        return result

    async def _make(self, key: Hashable, make: Callable[["Shared"], Awaitable[str]]) -> str:
        making = self._making[key] = asyncio.get_running_loop().create_future()
        try:
            self.results[key] = result = await make(self)
        finally:
            del self._making[key]
            making.set_result(None)
        return result


class Delivery(Shared):
    """The value that a field shows for one event."""

    __slots__ = ("event", "position", "topic", "weight")

    def __init__(self, event: Event, value: Any) -> None:
        super().__init__(value)
        self.weight = _weight(value)
        self.event = event
        self.topic: str = event.topic_id
        self.position = Position(event.offset, event.topic.epoch)


def _weight(value: Any) -> int:
    """Return about how many bytes the long parts of a value have: its texts."""
    parts = value if isinstance(value, dict) else getattr(value, "__dict__", {"": value})
    return sum(len(part) for part in parts.values() if isinstance(part, str | bytes))
