"""Clients that read large results slowly, and those that do not read at all."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from ariadne import QueryType, make_executable_schema
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.allowance import unread
from realtime.asgi import graphql_app
from tests.realtime.on_uvicorn.server import PATIENCE, served, url

SIZE = 6_000_000
QUERY = "{ large }"
EVENTS = "text/event-stream"

Set = Callable[..., None]


@pytest.fixture(autouse=True)
def _in_a_hurry(realtime_settings: Set) -> None:
    realtime_settings(PONG_TIMEOUT=0.3, KEEP_ALIVE_INTERVAL=0.1, MAX_RESULT_SIZE=2 * SIZE)


@pytest.fixture
async def server() -> AsyncIterator[uvicorn.Server]:
    query = QueryType()
    query.set_field("large", lambda *_: "x" * SIZE)
    app = graphql_app(make_executable_schema("type Query { large: String }", query))
    async with served(app) as server:
        yield server


def narrow(server: uvicorn.Server) -> socket.socket:
    """Connect with little room for what is not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    client.connect(("127.0.0.1", server.servers[0].sockets[0].getsockname()[1]))
    client.setblocking(False)
    return client


@asynccontextmanager
async def asked(
    server: uvicorn.Server, accept: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(3 * PATIENCE):
        reader, writer = await asyncio.open_connection(sock=narrow(server), limit=8 * 1024)
        try:
            body = json.dumps({"query": QUERY})
            writer.write(
                f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                f"Accept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            yield reader, writer
        finally:
            writer.transport.abort()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("accept", ["application/json", EVENTS])
async def test_a_slow_reader_gets_all(accept: str, server: uvicorn.Server) -> None:
    async with asked(server, accept) as (reader, _):
        found = 0
        while found < SIZE:
            found += (await reader.read(32 * 1024)).count(b"x")
            await asyncio.sleep(0.005)  # several times what a client has for a ping, in all


@pytest.mark.parametrize("accept", ["application/json", EVENTS])
async def test_who_does_not_read_is_cut_off(accept: str, server: uvicorn.Server) -> None:
    async with asked(server, accept):
        await until(lambda: unread() > 0)
        await until(lambda: unread() == 0)
        await until(lambda: not server.server_state.connections)


@asynccontextmanager
async def subscribed(server: uvicorn.Server) -> AsyncIterator[Any]:
    async with asyncio.timeout(3 * PATIENCE):
        options: dict[str, Any] = {"max_size": None, "max_queue": 1, "compression": None}
        async with connect(
            url(server),
            sock=narrow(server),
            subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
            **options,
        ) as client:
            await client.send('{"type":"connection_init"}')
            await client.recv()
            yield client


def ask(id: str) -> str:
    return json.dumps({"type": "subscribe", "id": id, "payload": {"query": QUERY}})


async def test_a_slow_reader_of_a_websocket_gets_all(server: uvicorn.Server) -> None:
    async with subscribed(server) as client:
        transport = client.transport
        await client.send(ask("1"))

        async def slow_down() -> None:
            while True:
                transport.pause_reading()
                await asyncio.sleep(0.005)
                transport.resume_reading()
                await asyncio.sleep(0.001)

        slowing = asyncio.create_task(slow_down())
        try:
            kinds = []
            while "complete" not in kinds:
                message = json.loads(await client.recv())
                if message["type"] == "ping":
                    await client.send('{"type":"pong"}')
                elif message["type"] == "next":
                    assert len(message["payload"]["data"]["large"]) == SIZE
                kinds.append(message["type"])
            assert "next" in kinds
        finally:
            slowing.cancel()


async def test_who_does_not_read_a_websocket_is_cut_off(server: uvicorn.Server) -> None:
    async with subscribed(server) as client:
        client.transport.pause_reading()
        for number in range(4):
            await client.send(ask(str(number)))
        await until(lambda: unread() > 0)
        await until(lambda: unread() == 0)
        await until(lambda: not server.server_state.connections)
        client.transport.resume_reading()
        with pytest.raises(ConnectionClosed):
            while True:
                await client.recv()
