"""One operation of a test client: its results in order, then its end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

from realtime.testing.errors import CompletedError, OperationError
from realtime.testing.socket import Message, in_time

Data = dict[str, Any]

INBOX = 10_000
"""Results that a test may leave unread; one more fails it."""


class Subscription:
    """What `GraphQLClient.subscribe` returns. Iterating ends where the server completes."""

    def __init__(
        self,
        payload: Message,
        *,
        begin: Callable[["Subscription", Message], Awaitable[str]],
        stop: Callable[[str], Awaitable[None]],
        timeout: float,
    ) -> None:
        self.cursor: str | None = None
        """Behind the result received last; None for a field that is not live."""
        self._payload = payload
        self._begin = begin
        self._stop = stop
        self._timeout = timeout
        self._inbox: asyncio.Queue[Message | Exception] = asyncio.Queue()
        self._end: Exception | None = None
        self._id = ""

    async def receive(self) -> Data:
        """Return the data of the next result, which must come in time.

        Raises OperationError for a result with errors, CompletedError, and
        ConnectionClosedError.
        """
        return _data(await self._next(f"A result of {self}"))

    async def expect_nothing(self, seconds: float = 0.1) -> None:
        """Assert that neither a result nor an end comes for so long.

        It cannot prove that nothing is on its way: an event comes after a commit, a
        read of the log and its resolvers. What proves that one is left out is another
        one on the same topic, written later and received next.
        """
        try:
            came = await self._take(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"Expected nothing of {self}, but there came {came!r}")

    async def completed(self) -> None:
        """Wait for the server to complete the operation, which must be what comes next."""
        try:
            came = await self._next(f"The completion of {self}")
        except CompletedError:
            return
        raise AssertionError(f"Expected the completion of {self}, but there came {came}")

    async def stop(self) -> None:
        """End the operation, and forget what was on its way. Idempotent."""
        if self._end is None:
            self.lose()
            self.end(CompletedError(f"{self} was stopped"))
            await self._stop(self._id)

    async def resume(self) -> None:
        """Subscribe again, after the cursor, on the connection that the client has now.

        What was not received before comes now, once. Raises as `GraphQLClient.subscribe`.
        """
        if self._end is None:
            raise RuntimeError(f"{self} has not ended")
        if self.cursor is None:
            raise RuntimeError(f"{self} has no cursor: its field is not live")
        extensions = {**self._payload["extensions"], "after": self.cursor}
        self._payload = {**self._payload, "extensions": extensions}
        await self.start()

    async def start(self) -> None:
        """Begin the operation; with `extensions.confirm` wait until it is live."""
        self._inbox = asyncio.Queue()
        self._end = None
        self._id = await self._begin(self, self._payload)
        if self._payload["extensions"].get("confirm"):
            first = await self._next(f"The confirmation of {self}")
            if not (first.get("extensions") or {}).get("subscribed"):
                _data(first)
                raise AssertionError(f"Expected the confirmation of {self}, but there came {first}")

    def deliver(self, came: Message | Exception) -> None:
        """Take a result or the end, from the client."""
        if self._end is not None:
            raise AssertionError(f"After its end {self} got {came!r}")
        if isinstance(came, Exception):
            self._end = came
        elif self._inbox.qsize() == INBOX:
            raise AssertionError(f"{self} has {INBOX} results that were not received")
        self._inbox.put_nowait(came)

    def end(self, end: Exception) -> None:
        """Take the end of the connection."""
        if self._end is None:
            self.deliver(end)

    def lose(self) -> None:
        """Forget what was not received."""
        while not self._inbox.empty():
            self._inbox.get_nowait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Data:
        with suppress(CompletedError):
            return await self.receive()
        raise StopAsyncIteration

    def __str__(self) -> str:
        return f"operation {self._id}, {' '.join(self._payload['query'].split()):.60}"

    async def _next(self, what: str) -> Message:
        came = await in_time(self._take(), self._timeout, what)
        if isinstance(came, Exception):
            raise came
        return came

    async def _take(self, timeout: float | None = None) -> Message | Exception:
        if self._end is not None and self._inbox.empty():
            return self._end
        async with asyncio.timeout(timeout):
            came = await self._inbox.get()
        if not isinstance(came, Exception):
            self.cursor = (came.get("extensions") or {}).get("cursor", self.cursor)
        return came


def _data(payload: Message) -> Data:
    if payload.get("errors"):
        raise OperationError(payload["errors"], payload.get("data"))
    data: Data = payload["data"]
    return data
