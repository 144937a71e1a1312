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

    __slots__ = ("_results", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self._results: dict[Hashable, str | asyncio.Future[None]] = {}

    async def result(self, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        """Return the result under a key, made by whoever asks first."""
        while not isinstance(known := self._results.get(key), str):
            if known is None:
                return await self._make(key, make)
            # If its maker fails or is cancelled, the next makes it.
            await asyncio.wait({known})
        return known

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        made = self._results[key] = asyncio.get_running_loop().create_future()
        try:
            result = self._results[key] = await make()
        except BaseException:
            del self._results[key]
            raise
        finally:
            made.set_result(None)
        return result


class Delivery(Shared):
    """The value that a field shows for one event."""

    __slots__ = ("event", "position", "topic")

    def __init__(self, event: Event, value: Any) -> None:
        super().__init__(value)
        self.event = event
        self.topic: str = event.topic_id
        self.position = Position(event.offset, event.topic.epoch)
