"""A TCP proxy that can go silent: it still takes what is sent, and answers nothing."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.harness.service_process import HOST, free_port


class TcpProxy:
    """Forwards connections to a port of this machine; an async context manager.

    Like a load balancer that has failed over, it acknowledges the bytes of its old connections,
    which the target sees closed.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.forwards_new = True
        """Whether connections that are opened from now on are forwarded, or silent, too."""
        self._target = target
        self._forwarded: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def silence(self) -> None:
        """Make all connections silent that are open, for good."""
        for target in self._forwarded:
            target.close()
        self._forwarded.clear()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self.forwards_new:
                await self._forward(reader, writer)
            while await reader.read(65536):
                pass  # silent: TCP acknowledges it
        except (OSError, asyncio.CancelledError):
            pass  # asyncio's streams would report it
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward until an end closes the connection, or it becomes silent."""
        back, target = await asyncio.open_connection(HOST, self._target)
        self._forwarded.add(target)
        ways = [asyncio.ensure_future(_pump(*way)) for way in ((reader, target), (back, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if target in self._forwarded:
                writer.close()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._forwarded.discard(target)
            target.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
