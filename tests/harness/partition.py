"""A TCP proxy in front of a service, which can lose existing connections without a word."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from tests.harness.service_process import HOST

_CHUNK = 1 << 16


class Partition:
    """Forwards a port of its own to a service, until `cut` leaves the present connections dead.

    A dead connection stays open, and what either side sends is still acknowledged, but is
    thrown away: so it is after a load balancer has failed over. New connections work.
    """

    def __init__(self, port: int) -> None:
        self._to_port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="partition")
        self._age = 0
        self._forwarding: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server
        self.port: int

    def cut(self) -> None:
        """Lose all present connections."""
        self._age += 1

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for task in self._forwarding:
            task.cancel()
        await asyncio.gather(*self._forwarding, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._forwarding.add(task)
        age, writers = self._age, [writer]
        try:
            there, onward = await asyncio.open_connection(HOST, self._to_port)
            writers.append(onward)
            ways = [self._forward(age, reader, onward), self._forward(age, there, writer)]
            tasks = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in tasks:
                    each.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for opened in writers:
                opened.transport.abort()
            self._forwarding.discard(task)

    async def _forward(
        self, age: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(_CHUNK):
            if age == self._age:
                writer.write(data)
                await writer.drain()
