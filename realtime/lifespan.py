"""The end of the process, as an ASGI server tells it."""

import asyncio
import logging
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import Any

from starlette.types import Receive, Scope, Send

from realtime import deadlines, draining
from realtime.collector import short_pauses
from realtime.conf import get_settings
from realtime.connection import drain_connections
from realtime.database import Threads
from realtime.transports.streaming import end_streams

logger = logging.getLogger("realtime.lifespan")

_HANG_UP: int | None = getattr(signal, "SIGHUP", None)  # Windows has none


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the `lifespan` scope: drain when the process is told to end.

    A server that is told itself closes all WebSockets at once, so that all clients come
    back at once, and waits for ever for streams over HTTP. So the signal reaches it when
    ours have ended; a second one at once. SIGHUP, which would end the process at once, and
    the death of the supervisor of a worker do what SIGTERM does. Mount this in Channels'
    ProtocolTypeRouter as `lifespan`.
    """
    await receive()
    # Uvicorn's own WebSockets do not end without the collector.
    is_ours = "realtime.uvicorn_websocket" in sys.modules
    limits = Threads.QUERIES.limits
    pauses = short_pauses() if is_ours else nullcontext()
    with (
        draining.until_end(),
        _told_to_end(),
        pauses,
        deadlines.limited_process(limits),
    ):
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


@contextmanager
def _told_to_end() -> Iterator[None]:
    loop = asyncio.get_running_loop()
    previous: dict[int, Any] = {}
    drains: list[asyncio.Task[None]] = []
    # Terminals and init systems tell a supervisor and its workers at once, and the supervisor
    # then tells the workers: its signal is no second one.
    echoes = [signal.SIGTERM] if multiprocessing.parent_process() else []

    def tell(number: int, frame: FrameType | None) -> None:
        if not callable(previous[number]):
            number = signal.SIGTERM  # instead of SIGHUP, which ends a process at once
        previous[number](number, frame)

    async def drain(number: int) -> None:
        seconds = get_settings().drain_time
        try:
            draining.begin()
            deadlines.end_within(2 * seconds)  # as long as `drain_connections` takes at most
            end_streams()
            await drain_connections(seconds=seconds)
        finally:
            tell(number, None)

    def begin(number: int) -> None:
        if not drains:
            drains.append(loop.create_task(drain(number), name="realtime-drain"))

    def handle(number: int, frame: FrameType | None) -> None:
        if drains and number in echoes:
            echoes.remove(signal.SIGTERM)
        elif drains:
            tell(number, frame)
        else:
            loop.call_soon_threadsafe(begin, number)

    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            if callable(signal.getsignal(number)):  # else nobody would be told
                previous[number] = signal.signal(number, handle)
        if signal.SIGTERM in previous:
            # It is ignored under nohup, and may have a handler of the application's.
            if _HANG_UP is not None and signal.getsignal(_HANG_UP) is signal.SIG_DFL:
                previous[_HANG_UP] = signal.signal(_HANG_UP, handle)
            _when_supervisor_ends(lambda: loop.call_soon_threadsafe(begin, signal.SIGTERM))
    except ValueError:
        pass  # not in the main thread, where signals arrive
    try:
        yield
    finally:
        for told, handler in previous.items():
            if signal.getsignal(told) is handle:
                signal.signal(told, handler)


def _when_supervisor_ends(callback: Callable[[], object]) -> None:
    """Call a function, in a thread, when the process ends that started this one as its worker.

    A supervisor that was killed tells its workers nothing, and a new one cannot have their port.
    """
    supervisor = multiprocessing.parent_process()
    if supervisor is None:
        return

    def wait() -> None:
        supervisor.join()
        logger.warning("The supervisor of this worker has ended: the worker ends, too.")
        with suppress(RuntimeError):  # the event loop is closed already
            callback()

    threading.Thread(target=wait, name="realtime-supervisor", daemon=True).start()
