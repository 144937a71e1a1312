"""Frames that are written without awaiting, through a real Uvicorn to a real client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from realtime.extensions import WRITER, Writer
from realtime.rounds import AT_ONCE
from tests.realtime.on_uvicorn.server import PATIENCE, served, url


class Application:
    """Hands out the first WebSocket that it accepts."""

    def __init__(self) -> None:
        self.accepted: asyncio.Future[tuple[Writer, Any]] = asyncio.Future()
        self.ended = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if not self.accepted.done():
            self.accepted.set_result((scope["extensions"][WRITER], send))
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self.ended.set()


@pytest.fixture
async def application() -> Application:
    return Application()


@pytest.fixture
async def client(application: Application) -> AsyncIterator[ClientConnection]:
    async with (
        asyncio.timeout(PATIENCE),
        served(application) as server,
        connect(url(server), max_size=None, max_queue=1, compression=None) as client,
    ):
        yield client


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
async def test_a_frame_of_any_size_arrives(
    size: int, application: Application, client: ClientConnection
) -> None:
    writer, _ = await application.accepted
    assert writer.write("x" * size)
    assert await client.recv() == "x" * size


async def test_a_size_is_counted_in_bytes(
    application: Application, client: ClientConnection
) -> None:
    writer, _ = await application.accepted
    assert writer.write("ü€😀" * 20)
    assert await client.recv() == "ü€😀" * 20


async def test_a_text_may_be_put_between_others(
    application: Application, client: ClientConnection
) -> None:
    writer, _ = await application.accepted
    around = writer.around("<", "ü>")
    assert around.write("x" * 122)
    assert writer.write("y")
    assert [await client.recv(), await client.recv()] == [f"<{'x' * 122}ü>", "y"]


async def test_frames_that_were_sent_and_written_keep_their_order(
    application: Application, client: ClientConnection
) -> None:
    writer, send = await application.accepted
    for n in range(10):
        assert writer.write(f"{n} written")
        await send({"type": "websocket.send", "text": f"{n} sent"})
    got = [await client.recv() for _ in range(20)]
    assert got == [f"{n} {how}" for n in range(10) for how in ("written", "sent")]


async def test_what_a_client_has_no_room_for_is_not_written(
    application: Application, client: ClientConnection
) -> None:
    writer, send = await application.accepted
    written = 0
    while writer.write(f"{written} {'x' * 50_000}"):
        written += 1
    sending = asyncio.create_task(send({"type": "websocket.send", "text": "last"}))
    got = [str(await client.recv()).split()[0] for _ in range(written + 1)]
    assert got == [*map(str, range(written)), "last"]
    await sending
    assert writer.write("again")


async def test_to_one_who_has_gone_nothing_is_written(
    application: Application, client: ClientConnection
) -> None:
    writer, _ = await application.accepted
    await client.close()
    await application.ended.wait()
    assert not writer.write("too late")


async def test_after_the_close_nothing_is_written(
    application: Application, client: ClientConnection
) -> None:
    writer, send = await application.accepted
    await send({"type": "websocket.close", "code": 4000})
    assert not writer.write("too late")
    await client.wait_closed()
    assert client.close_code == 4000


async def test_a_server_may_end_while_many_are_about_to(application: Application) -> None:
    async with asyncio.timeout(PATIENCE), served(application) as server:
        clients = [await connect(url(server)) for _ in range(3 * AT_ONCE)]
        closing = asyncio.gather(*(client.close() for client in clients))
        connections = server.server_state.connections
        while not (lost := [each for each in connections if each.transport.is_closing()]):
            await asyncio.sleep(0)
        for connection in lost:
            connection.shutdown()  # as Uvicorn does with all, and the first error ends that
        await closing


async def test_a_handshake_that_is_none_is_refused(application: Application) -> None:
    async with asyncio.timeout(PATIENCE), served(application) as server:
        address = server.servers[0].sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 1\r\nSec-WebSocket-Key: x\r\n\r\n"
        )
        assert (await reader.readline()).split()[1] in {b"400", b"426"}
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


class TestReceiving:
    @pytest.fixture
    async def received(self) -> AsyncIterator[tuple[Any, ClientConnection, Any]]:
        """Yield the application's `receive` of a WebSocket, its client, and Uvicorn's protocol."""
        accepted: asyncio.Future[Any] = asyncio.Future()
        ended = asyncio.Event()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            accepted.set_result(receive)
            await ended.wait()

        async with (
            asyncio.timeout(PATIENCE),
            served(application) as server,
            connect(url(server), compression=None) as client,
        ):
            [connection] = server.server_state.connections
            yield await accepted, client, connection
            ended.set()

    async def test_messages_come_in_order(self, received: Any) -> None:
        receive, client, _ = received
        for n in range(20):
            await client.send(str(n))
        assert [(await receive())["text"] for _ in range(20)] == [str(n) for n in range(20)]

    async def test_each_message_is_of_one_reader(self, received: Any) -> None:
        receive, client, _ = received
        readers = [asyncio.create_task(receive()) for _ in range(3)]
        for n in range(3):
            await client.send(str(n))
        assert [(await reader)["text"] for reader in readers] == ["0", "1", "2"]

    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_what_comes_as_its_reader_gives_up_is_of_the_next(
        self, received: Any, when: str
    ) -> None:
        receive, _, connection = received
        first, second = (asyncio.create_task(receive()) for _ in range(2))
        await asyncio.sleep(0)
        if when == "before":
            first.cancel()
        connection.queue.put_nowait({"type": "websocket.receive", "text": "Hello"})
        first.cancel()
        assert (await second)["text"] == "Hello"
        assert first.cancelled()
