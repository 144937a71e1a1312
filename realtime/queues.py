"""Work that costs much: so much of it at once, and a bounded queue before it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from realtime.exceptions import BusyError


class Turns:
    """Lets some go on at once; of the others so many wait, for so many seconds at most."""

    def __init__(self, at_once: int, *, waiting: int, patience: float) -> None:
        self._free = anyio.Semaphore(at_once, fast_acquire=True)
        self._waiting = waiting
        self._patience = patience

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it. Raises BusyError where too many wait, or for too long."""
        if not self._free.value and self._free.statistics().tasks_waiting >= self._waiting:
            raise BusyError
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise BusyError from None
        try:
            yield
        finally:
            self._free.release()
