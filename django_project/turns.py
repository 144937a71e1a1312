"""How many requests Django serves at once.

Django runs each on a thread of its own with a connection to the database, as many as come.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from django.conf import settings
from django.urls import reverse
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime import hashing
from realtime.exceptions import BusyError, RateLimitedError
from realtime.queues import Turns

WAITING = 64
"""Requests that wait until others are served."""

FILES_AT_ONCE = 64
"""Static files that are served at once; they need no connection to the database."""

PATIENCE = 5.0
"""Seconds that a request waits."""

SENDING = 10.0
"""Seconds in which a client must take a part of its answer, at most 64 KiB."""

Turn = Callable[[Scope], AbstractAsyncContextManager[None]]
"""Takes a request's turn. Raises BusyError or RateLimitedError."""


class InTurn:
    """Has each request wait for its turn once its body is there; refuses those beyond, with 503.

    Clients that are slow to send a body, or do not take their answer, keep nobody waiting.
    """

    def __init__(self, app: ASGIApp, turn: Turn) -> None:
        self._app = app
        self._turn = turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        refusal: ASGIApp | None = None
        has_turn = is_stalled = False
        async with AsyncExitStack() as stack:

            async def received() -> Message:
                nonlocal refusal, has_turn
                message = await receive()
                is_whole = message["type"] == "http.request" and not message.get("more_body")
                if is_whole and not has_turn:
                    try:
                        await stack.enter_async_context(self._turn(scope))
                    except (BusyError, RateLimitedError) as error:
                        refusal = _refusal(error)
                        # Django takes this for a client that has gone.
                        return {"type": "http.disconnect"}
                    has_turn = True
                return message

            async def sent(message: Message) -> None:
                nonlocal is_stalled
                if is_stalled:
                    return  # Django ends as it does else, and the server closes the connection
                try:
                    async with asyncio.timeout(SENDING):
                        await send(message)
                except TimeoutError:
                    is_stalled = True

            await self._app(scope, received, sent)
        if refusal is not None:
            await refusal(scope, receive, send)


def _refusal(error: BusyError | RateLimitedError) -> ASGIApp:
    return PlainTextResponse(
        error.message,
        status_code=429 if isinstance(error, RateLimitedError) else 503,
        headers={"Retry-After": str(error.retry_after)},
    )


def pages() -> Turn:
    """Return the turns of requests that may use the database."""
    return _turns(settings.DJANGO_REQUESTS)


def files() -> Turn:
    """Return the turns of static files."""
    return _turns(FILES_AT_ONCE)


def _turns(at_once: int) -> Turn:
    turns = Turns(at_once, waiting=WAITING, patience=PATIENCE)
    return lambda scope: turns.turn()


@asynccontextmanager
async def admin_login(scope: Scope) -> AsyncIterator[None]:
    """Have a turn to hash where a request logs in to the admin."""
    if scope["method"] == "POST" and scope["path"].endswith(reverse("admin:login")):
        async with hashing.turn(scope):
            yield
    else:
        yield
