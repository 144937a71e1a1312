"""The end of the process, as an ASGI server tells it."""

import asyncio
import multiprocessing
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Any

from starlette.types import Receive, Scope, Send

from realtime.collector import short_pauses
from realtime.conf import get_settings
from realtime.connection import drain_connections
from realtime.transports.streaming import end_streams


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the `lifespan` scope: drain when the process is told to end.

    A server that is told itself closes all WebSockets at once, so that all clients come
    back at once, and waits for ever for streams over HTTP. So the signal reaches it when
    ours have ended; a second one at once. Mount this in Channels' ProtocolTypeRouter as
    `lifespan`.
    """
    await receive()
    # Uvicorn's own WebSockets do not end without the collector.
    is_ours = "realtime.uvicorn_websocket" in sys.modules
    with _told_to_end(), short_pauses() if is_ours else nullcontext():
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


@contextmanager
def _told_to_end() -> Iterator[None]:
    loop = asyncio.get_running_loop()
    previous: dict[int, Any] = {}
    draining: list[asyncio.Task[None]] = []
    # Terminals and init systems tell a supervisor and its workers at once, and the supervisor
    # then tells the workers: its signal is no second one.
    echoes = [signal.SIGTERM] if multiprocessing.parent_process() else []

    def tell(number: int, frame: FrameType | None) -> None:
        previous[number](number, frame)

    async def drain(number: int) -> None:
        try:
            end_streams()
            await drain_connections(seconds=get_settings().drain_time)
        finally:
            tell(number, None)

    def begin(number: int) -> None:
        if not draining:
            draining.append(loop.create_task(drain(number), name="realtime-drain"))

    def handle(number: int, frame: FrameType | None) -> None:
        if draining and number in echoes:
            echoes.remove(signal.SIGTERM)
        elif draining:
            tell(number, frame)
        else:
            loop.call_soon_threadsafe(begin, number)

    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            if callable(signal.getsignal(number)):  # else nobody would be told
                previous[number] = signal.signal(number, handle)
    except ValueError:
        pass  # not in the main thread, where signals arrive
    try:
        yield
    finally:
        for told, handler in previous.items():
            if signal.getsignal(told) is handle:
                signal.signal(told, handler)
