"""The operations that one connection has open at once; more of them wait."""

import asyncio
from typing import Self

from realtime import tasks
from realtime.errors import RequestError
from realtime.protocols.operation import too_many
from realtime.waiting import Line

ROOM_TIMEOUT = 10.0
"""Seconds for which a socket is not read when as many operations wait as may."""

Task = asyncio.Task[None]


class OpenOperations:
    """Admits the operations of one connection, like a semaphore, in the order of their arrival.

    Each is a task that enters before it executes, and leaves at its end. When all places are
    taken it waits, since an operation that is being executed ends by itself; only when live
    subscriptions have taken all of them is it refused, by a RequestError.
    """

    __slots__ = ("_limit", "_live", "_open", "_waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = 0
        self._live: set[Task] = set()
        self._waiting = Line()

    async def __aenter__(self) -> Self:
        if self._open < self._limit:
            self._open += 1
        elif len(self._live) >= self._limit or not await self._waiting.wait(self._leave):
            raise RequestError(too_many(self._limit))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._live.discard(_current_task())
        self._leave()

    def become_live(self) -> None:
        """Note that the running operation is a subscription that receives its events now."""
        self._live.add(_current_task())
        while self._waiting and len(self._live) >= self._limit:
            self._waiting.answer(False)

    def end(self, operation: Task) -> None:
        """Note that an operation was cancelled: it leaves when it has cleaned up."""
        self._live.discard(operation)

    def _leave(self) -> None:
        """Pass a place on."""
        while self._waiting:
            if self._waiting.answer(True):
                return
        self._open -= 1


class Room:
    """Has whoever reads a socket wait while one more operation would be refused.

    So the client waits, too, once its TCP connection is full. It does not wait for ever: the
    message that is not read may be the one that ends an operation.
    """

    __slots__ = ("_is_free", "_is_overdue")

    def __init__(self) -> None:
        self._is_free: asyncio.Event | None = None  # which most connections never need
        self._is_overdue = False

    def free(self) -> None:
        """Note that one more operation would be admitted."""
        if self._is_free is not None:
            self._is_free.set()
        self._is_overdue = False

    async def wait(self) -> None:
        """Wait until it is free; once that was not so in time, not again before it has been."""
        if not self._is_overdue:
            self._is_free = asyncio.Event()
            self._is_overdue = not await tasks.in_time(self._is_free.wait(), ROOM_TIMEOUT)
            self._is_free = None


def _current_task() -> Task:
    task = asyncio.current_task()
    assert task is not None
    return task
