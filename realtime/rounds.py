"""What is to be done for each of thousands, a while after it began: one timer for all."""

import asyncio
import contextvars
from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

M = TypeVar("M")

AT_ONCE = 16
"""Members that are visited in a row: thousands may have come together."""


class Rounds(Generic[M]):
    """Visits each member once, so many seconds after it joined, in the order of joining.

    The seconds are the same for all. Between a few and the next it pauses for so many
    seconds, if only for a round of the event loop.
    """

    def __init__(self, visit: Callable[[M], object], *, pause: float = 0) -> None:
        self._visit = visit
        self._pause = pause
        self._rounds: WeakKeyDictionary[asyncio.AbstractEventLoop, _Round[M]] = WeakKeyDictionary()

    def join(self, member: M, seconds: float) -> None:
        """Visit a member in so many seconds, unless it is to be visited anyway."""
        self._current().join(member, seconds)

    def leave(self, member: M) -> None:
        """Do not visit a member. Idempotent."""
        self._current().leave(member)

    def admit(self) -> bool:
        """Return whether the caller may make a visit of its own now.

        It may not while anybody waits, nor may more than a few in one round of the event loop.
        """
        return self._current().admit()

    def _current(self) -> "_Round[M]":
        loop = asyncio.get_running_loop()
        if (current := self._rounds.get(loop)) is None:
            current = self._rounds[loop] = _Round(self._visit, self._pause)
        return current


class _Round(Generic[M]):
    """Those of one event loop."""

    def __init__(self, visit: Callable[[M], object], pause: float) -> None:
        self._visit = visit
        self._pause = pause
        self._due: dict[M, float] = {}
        self._timer: asyncio.Handle | None = None
        self._admitted = 0

    def join(self, member: M, seconds: float) -> None:
        self._due.setdefault(member, asyncio.get_running_loop().time() + seconds)
        self._set_timer(not_before=0)

    def leave(self, member: M) -> None:
        self._due.pop(member, None)
        if not self._due and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def admit(self) -> bool:
        if self._due or self._admitted == AT_ONCE:
            return False
        if not self._admitted:
            asyncio.get_running_loop().call_soon(self._begin_round, context=contextvars.Context())
        self._admitted += 1
        return True

    def _begin_round(self) -> None:
        self._admitted = 0

    def _set_timer(self, *, not_before: float) -> None:
        if self._timer is None and self._due:
            first = next(iter(self._due.values()))
            # A fresh context: that of whoever comes first would be that of all.
            self._timer = asyncio.get_running_loop().call_at(
                max(first, not_before), self._visit_some, context=contextvars.Context()
            )

    def _visit_some(self) -> None:
        fired, now = self._timer, asyncio.get_running_loop().time()
        try:
            for member, at in [*islice(self._due.items(), AT_ONCE)]:
                if at > now:
                    break
                if self._due.pop(member, None) is not None:  # else a visit made it leave
                    self._visit(member)
        finally:
            if self._timer is fired:  # until here, so that a visit that joins does not set it
                self._timer = None
            self._set_timer(not_before=now + self._pause)
