"""What travels from the log to the subscribers of a field, and what they share of it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar, NamedTuple, Protocol

from realtime import tasks
from realtime.cursor import Position
from realtime.models import Event

BREATH = 256
"""Deliveries that are taken at once before the event loop serves others: some milliseconds.
A reader that is woken for one has more to do, and gets its turn right away."""


class DisownedError(Exception):
    """What was made is not what the key stands for: its maker has changed meanwhile."""


class Shared:
    """A value for all subscribers of one field, with the results that they make of it.

    Subscribers whose results cannot differ have the same key: the first makes the
    result, the others take it.
    """

    __slots__ = ("_copies", "_era", "_making", "_results", "results_weight", "value")
    era: ClassVar[int] = 0
    """How often rights have changed, as far as this process has heard.

    A result may show more than is due since to one with the same key: it is of its era alone.
    """

    def __init__(self, value: Any) -> None:
        self.value = value
        self._results: dict[Hashable, str] = {}
        self._era = Shared.era
        self.results_weight = 0
        """Characters of the results."""
        self._making: dict[Hashable, asyncio.Future[Exception | None]] = {}
        self._copies: dict[Hashable, Shared] | None = None

    def copied(self, key: Hashable) -> "Shared":
        """Return the same with a copy of the value, one for all who ask under a key."""
        if self._copies is None:
            self._copies = {}
        copied = self._copies.get(key)
        if copied is None:
            copied = self._copies[key] = Shared(deepcopy(self.value))
        return copied

    @property
    def results(self) -> Mapping[Hashable, str]:
        """The results that there are now, by their keys."""
        return self._results if self._era == Shared.era else {}

    async def result(self, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        """Return the result under a key, made by whoever asks first. Raises what making it does."""
        while (result := self.results.get(key)) is None:
            if (making := self._making.get(key)) is None:
                return await self._make(key, make)
            await asyncio.wait({making})
            await tasks.turn()  # thousands may have waited
            if error := making.result():
                raise error
            # There is a result, or its maker was cancelled or has changed: the next makes it.
        return result

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        making = self._making[key] = asyncio.get_running_loop().create_future()
        failed: Exception | None = None
        era = Shared.era
        try:
            result = await make()
        except DisownedError:
            raise
        except Exception as error:
            failed = error
            raise
        finally:
            del self._making[key]
            making.set_result(failed)
        if era == Shared.era:
            if era != self._era:
                self._results, self._era, self.results_weight = {}, era, 0
            self._results[key] = result
            self.results_weight += len(result)
        return result


class Place(NamedTuple):
    """Where something stands in the log."""

    topic: str
    position: Position


class Delivery(Shared):
    """The value that a field shows for one event."""

    __slots__ = ("event", "place", "weight")

    def __init__(self, event: Event, value: Any) -> None:
        super().__init__(value)
        self.weight = _weight(value)
        self.event = event
        self.place = Place(event.topic_id, Position(event.offset, event.topic.epoch))


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


def _weight(value: Any) -> int:
    """Return about how many bytes the long parts of a value have: its texts."""
    parts = value if isinstance(value, dict) else getattr(value, "__dict__", {"": value})
    return sum(len(part) for part in parts.values() if isinstance(part, str | bytes))
