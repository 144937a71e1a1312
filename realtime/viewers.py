"""All who have something open on one event loop, and whether they still may."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from realtime import access, tasks
from realtime.conf import get_settings
from realtime.database import Threads, fresh_context
from realtime.delivery import Shared, Shown
from realtime.hub import Hub
from realtime.models import Event
from realtime.rounds import Rounds
from realtime.sentinel import Sentinel

logger = logging.getLogger("realtime.viewers")

AT_ONCE = 16
"""Viewers that are looked at together."""

SETTLE_TIMEOUT = 10.0
"""Seconds that may take; it is tried again, and nothing is delivered meanwhile."""

RETRY = 1.0
"""Seconds until it is tried again where the database is away."""


class Watched(Protocol):
    """A viewer, as it is seen from here."""

    @property
    def pk(self) -> str | None:
        """The user's primary key as text; None of nobody in particular."""

    def doubt(self) -> None:
        """Suspend all that it gets, and have it looked at."""

    async def settle(self) -> None:
        """Look at it anew. Raises what the database raises."""


class _Concerned:
    """The feed of changes of rights: whom each concerns. Nothing is loaded."""

    coalesces = False

    def values(self, events: Sequence[Event]) -> list[Shown]:
        return [(event, access.concerned(event)) for event in events]


_CONCERNED = _Concerned()


class Viewers:
    """Hears of changes of rights before the events that were committed after them.

    Get the running loop's own with `Viewers.current()`. It listens while anyone is
    here, and looks at each who has a session every now and then.
    """

    def __init__(self) -> None:
        self._by_user: dict[str | None, set[Watched]] = {}
        self._rumours: list[set[str | None]] = []
        self._unclear: dict[Watched, None] = {}
        self._may_look = asyncio.Event()
        self._sentinel: Sentinel | None = None
        self._starting: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._is_failing = False

    @classmethod
    def current(cls) -> "Viewers":
        """Return those of the running event loop."""
        loop = asyncio.get_running_loop()
        if (viewers := _running.get(loop)) is None:
            viewers = cls()
            _running[loop] = viewers
        return viewers

    def join(self, viewer: Watched) -> None:
        """Know of a viewer."""
        self._by_user.setdefault(viewer.pk, set()).add(viewer)
        self._look_later(viewer)

    async def leave(self, viewer: Watched) -> None:
        """Know of it no more, and rest when it was the last."""
        self._unclear.pop(viewer, None)
        _rounds.leave(viewer)
        self._forget(viewer, viewer.pk)
        if self._by_user:
            return
        running = [task for task in (self._starting, self._looking) if task is not None]
        sentinel, self._sentinel = self._sentinel, None
        self._starting = self._looking = None
        _running.pop(asyncio.get_running_loop(), None)
        try:
            await tasks.end(running)
        finally:
            if sentinel is not None:
                await sentinel.aclose()

    def rename(self, viewer: Watched, before: str | None) -> None:
        """Know that a viewer has become another user."""
        self._forget(viewer, before)
        self._by_user.setdefault(viewer.pk, set()).add(viewer)
        self._look_later(viewer)

    def _forget(self, viewer: Watched, pk: str | None) -> None:
        known = self._by_user.get(pk, set())
        known.discard(viewer)
        if not known:
            self._by_user.pop(pk, None)

    def _look_later(self, viewer: Watched) -> None:
        if viewer.pk is not None and (interval := get_settings().recheck_interval):
            _rounds.join(viewer, interval)

    async def hear(self) -> None:
        """Return when every change of rights that is committed from now on will be heard of."""
        if self._sentinel is not None and self._sentinel.has_failed:
            sentinel, self._sentinel, self._starting = self._sentinel, None, None
            await sentinel.aclose()
        if self._starting is None or (self._starting.done() and self._sentinel is None):
            # A fresh context: it may outlive the connection that happens to come first.
            self._starting = asyncio.create_task(
                self._start(),
                name="realtime-viewers-start",
                context=fresh_context(Threads.PERMISSIONS),
            )
        await tasks.result(self._starting)

    async def catch_up(self) -> None:
        """Return when every change of rights that is committed by now was heard of."""
        await Hub.current().hand_out_first()

    async def _start(self) -> None:
        if self._looking is None:
            self._looking = asyncio.create_task(
                self._look(), name="realtime-viewers", context=fresh_context(Threads.PERMISSIONS)
            )
        self._sentinel = await Sentinel.posted(
            Hub.current(), [access.TOPIC], _CONCERNED, self._heard
        )

    def _heard(self, concerned: Iterable[Collection[str] | None] | None) -> None:
        """Suspend whom changes of rights concern; everyone if it is not known what was missed."""
        Shared.era += 1
        for users in [None] if concerned is None else concerned:
            for rumours in self._rumours:
                rumours.update([None] if users is None else users)
            for pk in [*self._by_user] if users is None else users:
                for viewer in [*self._by_user.get(pk, ())]:
                    viewer.doubt()

    @contextmanager
    def rumours(self) -> Iterator[set[str | None]]:
        """Collect whom changes of rights concern that are heard of meanwhile; None: everyone."""
        rumours: set[str | None] = set()
        self._rumours.append(rumours)
        try:
            yield rumours
        finally:
            self._rumours = [each for each in self._rumours if each is not rumours]

    def look_at(self, viewer: Watched) -> None:
        """Have it settled what a viewer may get."""
        self._unclear[viewer] = None
        self._may_look.set()

    async def _look(self) -> None:
        """Settle what viewers may get, some at a time; one that takes long keeps few waiting."""
        settling: set[asyncio.Task[None]] = set()
        try:
            while True:
                await self._may_look.wait()
                self._may_look.clear()
                while self._unclear and len(settling) < AT_ONCE:
                    viewer = next(iter(self._unclear))
                    del self._unclear[viewer]
                    task = asyncio.create_task(self._settle(viewer), name="realtime-settling")
                    settling.add(task)
                    task.add_done_callback(settling.discard)
                    task.add_done_callback(lambda _: self._may_look.set())
        finally:
            await tasks.end(settling)

    async def _settle(self, viewer: Watched) -> None:
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT):
                await self.hear()
                await viewer.settle()
        except (Exception, asyncio.CancelledError) as error:
            if tasks.is_cancelled(asyncio.get_running_loop()):
                raise  # else it came out of what was asked
            if not self._is_failing:
                logger.error("Rights cannot be looked at; trying again.", exc_info=error)
            self._is_failing = True
            await asyncio.sleep(RETRY)
            if viewer in self._by_user.get(viewer.pk, ()):
                self.look_at(viewer)
        else:
            self._is_failing = False
            if viewer in self._by_user.get(viewer.pk, ()):
                self._look_later(viewer)


_running: dict[asyncio.AbstractEventLoop, Viewers] = {}

_rounds: Rounds[Watched] = Rounds(lambda viewer: Viewers.current().look_at(viewer), pause=0.005)
