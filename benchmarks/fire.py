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

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/fire":
            await application(scope, receive, send)
            return
        date = scope["query_string"].decode().removeprefix("date=")
        body = str(await fire(date)).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return wrapped
