"""The end of the process, as an ASGI server tells it."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from starlette.types import Receive, Scope, Send

from realtime.transports.streaming import end_streams


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the `lifespan` scope: end the streams when the process is told to end.

    Servers wait for open HTTP responses before they say so themselves, so that a stream
    would hold them for ever. Mount it in Channels' ProtocolTypeRouter as `lifespan`.
    """
    await receive()
    with _told_to_end():
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


@contextmanager
def _told_to_end() -> Iterator[None]:
    loop = asyncio.get_running_loop()
    previous: dict[int, Any] = {}

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(end_streams)
        if callable(handler := previous[number]):
            handler(number, frame)

    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            previous[number] = signal.signal(number, end)
    except ValueError:
        pass  # not in the main thread, where signals arrive
    try:
        yield
    finally:
        for told, handler in previous.items():
            if signal.getsignal(told) is end:
                signal.signal(told, handler)
