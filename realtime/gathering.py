"""Look-ups of many at once, in one hop to the database."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

from realtime import tasks
from realtime.database import Threads, fresh_context, in_database

V = TypeVar("V")


class Gathered(Generic[V]):
    """Looks names up; what is asked for while one look-up runs goes into the next, once.

    Each begins after it was asked for, so that it sees what was committed before.
    """

    def __init__(self, look_up: Callable[[Collection[str]], Mapping[str, V]]) -> None:
        self._look_up = look_up
        self._names: set[str] = set()
        self._running: asyncio.Task[Mapping[str, V]] | None = None
        self._next: asyncio.Task[Mapping[str, V]] | None = None

    async def __call__(self, names: Collection[str]) -> dict[str, V]:
        """Return what is found for each name. Raises what looking up raises."""
        self._names.update(names)
        if self._next is None:
            # A fresh context: it may outlive the connection that happens to ask first.
            self._next = asyncio.create_task(
                self._run(self._running),
                name="realtime-look-up",
                context=fresh_context(Threads.HUB),
            )
        found = await tasks.result(self._next)
        return {name: found[name] for name in names}

    async def aclose(self) -> None:
        """End what runs. Idempotent."""
        await tasks.end(task for task in (self._running, self._next) if task is not None)

    async def _run(self, before: asyncio.Task[Mapping[str, V]] | None) -> Mapping[str, V]:
        if before is not None:
            await asyncio.wait({before})
        names, self._names = self._names, set()
        self._running, self._next = self._next, None
        return await in_database(self._look_up)(names)
