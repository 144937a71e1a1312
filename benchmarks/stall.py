"""How long an event loop serves nobody: asked for at `GET /stall` beside any ASGI application."""

import asyncio
from time import monotonic

from benchmarks.fire import Application, with_path

TICK = 0.001
"""Seconds between looks."""


class _Watch:
    def __init__(self) -> None:
        self._longest = 0.0
        self._task: asyncio.Task[None] | None = None

    async def restart(self, _: str) -> float:
        """Return the longest stall since the last call, in seconds; watch from the first on."""
        if self._task is None:
            self._task = asyncio.create_task(self._watch())
        longest, self._longest = self._longest, 0.0
        return longest

    async def _watch(self) -> None:
        while True:
            before = monotonic()
            await asyncio.sleep(TICK)
            self._longest = max(self._longest, monotonic() - before - TICK)


def with_stall(application: Application) -> Application:
    """Return the application, with the path /stall before it."""
    return with_path(application, "/stall", _Watch().restart)
