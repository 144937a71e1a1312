"""Turns at what only so many may do at once."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable
from contextlib import suppress


class Turns:
    """Lets so many run at once. Of those who wait, askers take turns, and each has its own order.

    One who asks for much thus waits for itself, and others for one piece of it.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    async def begin(self, asker: Hashable) -> None:
        """Return when it is the asker's turn, who calls `end` then."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(asker, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.end()  # it was given one meanwhile
            else:
                self._forget(asker, turn)
            raise

    def end(self) -> None:
        """Give the turn to the next."""
        while self._waiting:
            asker, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[asker] = turns  # behind the others
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _forget(self, asker: Hashable, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(asker, deque())
        with suppress(ValueError):
            turns.remove(turn)
        if not turns:
            self._waiting.pop(asker, None)
