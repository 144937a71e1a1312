"""How an event is asked for: `GET /fire?date=…` beside any ASGI application.

The same for all Python servers, so that none is charged for another way to write.
"""

from collections.abc import Awaitable, Callable
from typing import Any

Application = Callable[[Any, Any, Any], Awaitable[None]]
Fire = Callable[[str], Awaitable[int]]
"""Writes the one order with this date; returns when that was committed, monotonic nanoseconds."""


def with_fire(application: Application, fire: Fire) -> Application:
    """Return the application, with the path /fire before it."""
    return with_path(application, "/fire", lambda query: fire(query.removeprefix("date=")))


def with_path(
    application: Application, path: str, answer: Callable[[str], Awaitable[object]]
) -> Application:
    """Return the application, with a path before it that answers a query string, as text."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != path:
            await application(scope, receive, send)
            return
        body = str(await answer(scope["query_string"].decode())).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return wrapped
