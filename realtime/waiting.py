"""Waiting for a place, in the order of arrival."""

import asyncio
from collections.abc import Callable


class Line:
    """Those who wait for a place; whoever keeps the places answers one after another."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[bool], None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, give_back: Callable[[], None]) -> bool:
        """Return whether there is a place; it is given back if the caller was just cancelled."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[answer] = None
        try:
            return await answer
        except asyncio.CancelledError:
            self._waiting.pop(answer, None)
            if not answer.cancelled() and answer.done() and answer.result():
                give_back()
            raise

    def answer(self, is_admitted: bool) -> bool:
        """Answer the one that has waited longest; return whether it still waits."""
        answer = next(iter(self._waiting))
        del self._waiting[answer]
        if answer.cancelled():
            return False
        answer.set_result(is_admitted)
        return True
