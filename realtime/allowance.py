"""What the operations of one client hold at once, over all its connections, and what all hold.

Places to be executed, and bytes of results that are made or have not been taken by the client.
Subscriptions are not counted: what waits for them has bounds of its own.
"""

import asyncio
from collections.abc import Callable, Hashable
from contextvars import ContextVar, Token
from types import TracebackType

from realtime.conf import get_settings
from realtime.exceptions import TooManyRunningError, TooMuchUnreadError
from realtime.waiting import Line

LARGE = 64 * 1024
"""Bytes up to which a result is not counted: a connection takes that much at once."""

TIMEOUT = 10.0
"""Seconds that an operation waits to be executed."""

MAX_WAITING = 1_000
"""Operations of one client that wait at most; connections bound them, too."""


class _Client:
    """The operations of one user, or of one address without a login."""

    __slots__ = ("held", "line", "running")

    def __init__(self) -> None:
        self.running = 0
        self.held = 0
        self.line = Line()


_clients: dict[Hashable, _Client] = {}
_held: dict["Held", None] = {}
"""The results of all clients that are larger than LARGE."""

holding: ContextVar["Held | None"] = ContextVar("holding", default=None)
"""What the operation that is being executed holds."""


class Held:
    """The bytes of one result; `free` them when the client has taken it, or will not."""

    __slots__ = ("_asker", "_client", "abort", "refusal", "size")

    def __init__(self, asker: Hashable, client: _Client) -> None:
        self._asker = asker
        self._client = client
        self.size = 0
        self.abort: Callable[[], object] | None = None
        """Stops sending it to a client that does not read."""
        self.refusal: TooMuchUnreadError | None = None
        """Why it was not made to its end."""

    def grow(self, size: int) -> None:
        """Hold so much more of a result that is being made. Raises TooMuchUnreadError."""
        others = self._client.held - self.size
        if others and others + self.size + size > get_settings().max_unread_per_client:
            self.refusal = TooMuchUnreadError()
            raise self.refusal
        self._resize(self.size + size)

    def settle(self, size: int, abort: Callable[[], object] | None = None) -> None:
        """Hold a result of this size until it is taken."""
        self.abort = abort
        self._resize(size if size > LARGE else 0)

    def free(self) -> None:
        """Hold nothing any more. Idempotent."""
        self.abort = None
        if self.size:
            self._resize(0)

    def _resize(self, size: int) -> None:
        grows = size > self.size
        self._client.held += size - self.size
        self.size = size
        if not size:
            _held.pop(self, None)
        else:
            _held[self] = None
        if grows:
            _relieve()
        else:
            _wake(self._asker, self._client)


class Executing:
    """Executes an operation of a client when it is its turn; it holds its result after that.

    Raises TooManyRunningError and TooMuchUnreadError, which both say to ask again later.
    """

    __slots__ = ("_asker", "_client", "_held", "_token")

    def __init__(self, asker: Hashable) -> None:
        self._asker = asker

    async def __aenter__(self) -> Held:
        client = _clients.get(self._asker)
        if client is None:
            client = _clients[self._asker] = _Client()
        self._client = client
        if not client.line and _has_room(client):
            client.running += 1
        else:
            await self._wait(client)
        self._held = Held(self._asker, client)
        self._token: Token[Held | None] = holding.set(self._held)
        return self._held

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        holding.reset(self._token)
        if error is not None or self._held.refusal is not None:
            self._held.free()
        self._leave()
        if error is None and self._held.refusal is not None:
            raise self._held.refusal

    async def _wait(self, client: _Client) -> None:
        if len(client.line) < MAX_WAITING:
            try:
                async with asyncio.timeout(TIMEOUT):
                    await client.line.wait(self._leave)
                return
            except TimeoutError:
                pass
        settings = get_settings()
        if client.held > settings.max_unread_per_client:
            raise TooMuchUnreadError
        raise TooManyRunningError(settings.max_running_per_client)

    def _leave(self) -> None:
        self._client.running -= 1
        _wake(self._asker, self._client)


def _has_room(client: _Client) -> bool:
    settings = get_settings()
    return (
        client.running < settings.max_running_per_client
        and client.held <= settings.max_unread_per_client
    )


def _wake(asker: Hashable, client: _Client) -> None:
    """Have those execute who wait for what is free now; forget a client that has nothing."""
    while client.line and _has_room(client):
        client.running += client.line.answer(True)
    if not (client.running or client.held or client.line):
        _clients.pop(asker, None)


def _relieve() -> None:
    """Stop sending to whom most is being sent while more is held than the process may."""
    most = get_settings().max_unread
    held = sum(each.size for each in _held)
    while held > most and (sent := [each for each in _held if each.abort is not None]):
        largest = max(sent, key=lambda each: (each._client.held, each.size))
        held -= largest.size
        abort, largest.abort = largest.abort, None
        if abort is not None:
            abort()


def unread() -> int:
    """Return the bytes of the results that the clients of this process have not taken."""
    return sum(each.size for each in _held)
