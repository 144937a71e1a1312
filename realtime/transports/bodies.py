"""Bodies of answers that go out in pieces, each of which the client must take in time."""

import asyncio

from anyio import CancelScope
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from realtime.allowance import LARGE, Held
from realtime.conf import get_settings

PIECE = LARGE
"""Bytes that a client must take within PONG_TIMEOUT."""


async def send_body(send: Send, body: bytes, *, more: bool) -> None:
    """Send a part of a body, the last one without `more`. Raises TimeoutError."""
    timeout = get_settings().pong_timeout
    for start in range(0, len(body) or 1, PIECE):
        end = start + PIECE
        piece = body[start:end] if len(body) > PIECE else body
        async with asyncio.timeout(timeout):
            await send(
                {
                    "type": "http.response.body",
                    "body": piece,
                    "more_body": more or end < len(body),
                }
            )


class LargeResponse(Response):
    """Sends one body, which its client holds until it has taken it."""

    held: Held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises TimeoutError where the client does not read."""
        try:
            with CancelScope() as sending:
                self.held.abort = sending.cancel
                await send(
                    {
                        "type": "http.response.start",
                        "status": self.status_code,
                        "headers": self.raw_headers,
                    }
                )
                await send_body(send, bytes(self.body), more=False)
        except (OSError, TimeoutError):
            pass  # the client has gone, or does not read
        finally:
            self.held.free()
