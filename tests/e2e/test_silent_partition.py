"""Connections to PostgreSQL that are dead, although TCP still acknowledges what is sent on them."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from tests.e2e.locks import lock_room, waiting_for_locks
from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import ServerProcess, manage
from tests.harness.servers import Environment
from tests.harness.service_process import HOST
from tests.harness.services import Postgres
from tests.harness.tcp_proxy import TcpProxy
from tests.harness.websocket_client import Closed, GraphQLSocket, UnexpectedError

ROOM = 'subscription { onNewChatMessage(chatroom: "cats") { text } }'
SEND = 'mutation { sendChatMessage(chatroom: "cats", text: "Hi") { ok } }'
SENT = {"data": {"sendChatMessage": {"ok": True}}}
CAME = {"data": {"onNewChatMessage": {"text": "Hi"}}}

BACK_WITHIN = 15
"""Seconds after new connections work."""


@pytest.fixture
async def proxy(postgres: Postgres) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(postgres.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def direct(postgres: Postgres) -> Environment:
    """Return the environment of a server that needs no proxy."""
    environment = {"DEBUG": "1", "SECRET_KEY": "end-to-end", "DATABASE_URL": postgres.url}
    manage("migrate", "--verbosity", "0", env=environment)
    return environment


@pytest.fixture
def environment(direct: Environment, proxy: TcpProxy, postgres: Postgres) -> Environment:
    here, through = f"{HOST}:{postgres.port}", f"{HOST}:{proxy.port}"
    return {**direct, "DATABASE_URL": direct["DATABASE_URL"].replace(here, through)}


@pytest.fixture
async def server(environment: Environment) -> AsyncIterator[ServerProcess]:
    server = ServerProcess("uvicorn", environment)
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.close)


async def post(server: ServerProcess, query: str) -> Any:
    return await asyncio.to_thread(GraphQLHTTP(server.graphql_url).post, query)


async def is_sent(server: ServerProcess) -> bool:
    return bool(await post(server, SEND) == SENT)


async def sent_within(server: ServerProcess, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await is_sent(server):
            await asyncio.sleep(0.2)


async def use_all_threads(server: ServerProcess) -> None:
    """Have the pool hold as many connections as it ever does."""
    assert all(await asyncio.gather(*(is_sent(server) for _ in range(12))))


async def test_a_server_is_back_soon_after_its_connections_have_died(
    server: ServerProcess, proxy: TcpProxy
) -> None:
    async with GraphQLSocket(server.ws_url) as socket:
        room = await socket.live(ROOM)
        await use_all_threads(server)
        for _ in range(12):
            assert await room.next() == CAME
        proxy.silence()
        asking = [asyncio.create_task(is_sent(server)) for _ in range(4)]
        await sent_within(server, BACK_WITHIN)
        assert await room.next(BACK_WITHIN) == CAME
        await asyncio.gather(*asking)


async def test_a_server_is_back_soon_after_statements_have_lost_their_answer(
    server: ServerProcess, proxy: TcpProxy, postgres: Postgres
) -> None:
    async with GraphQLSocket(server.ws_url) as socket:
        room = await socket.live(ROOM)
        assert await is_sent(server)
        assert await room.next() == CAME
        async with await psycopg.AsyncConnection.connect(postgres.url) as other:
            await lock_room(other, "cats")
            asking = [asyncio.create_task(is_sent(server)) for _ in range(4)]
            await waiting_for_locks(postgres, 4)
            proxy.silence()
        await sent_within(server, BACK_WITHIN)
        assert await room.next(BACK_WITHIN) == CAME
        await asyncio.gather(*asking)


async def test_what_waits_for_a_dead_connection_is_told_to_try_again(
    server: ServerProcess, proxy: TcpProxy
) -> None:
    await use_all_threads(server)
    proxy.silence()
    proxy.forwards_new = False
    answer = await post(server, SEND)
    assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert "Traceback" not in server.log()


async def test_subscriptions_are_closed_when_the_log_cannot_be_read_and_resume(
    server: ServerProcess, proxy: TcpProxy
) -> None:
    async with GraphQLSocket(server.ws_url) as socket:
        room = await socket.live(ROOM)
        assert await is_sent(server)
        assert await room.next() == CAME
        cursor = room.cursor
        proxy.silence()
        proxy.forwards_new = False
        with pytest.raises(UnexpectedError) as ended:
            await room.next(40)
        assert isinstance(ended.value.came, Closed)
        assert ended.value.came.code == 4013
    assert server.log().count("The log cannot be followed") == 1
    assert server.log().count("its subscriptions are closed") == 1
    proxy.silence()
    proxy.forwards_new = True
    await sent_within(server, BACK_WITHIN)
    async with GraphQLSocket(server.ws_url) as socket:
        room = await socket.subscribe(ROOM, extensions={"after": cursor})
        assert await room.next() == CAME


async def test_a_server_that_waits_for_a_dead_connection_ends_on_sigterm(
    server: ServerProcess, proxy: TcpProxy
) -> None:
    async with GraphQLSocket(server.ws_url) as socket:
        await socket.live(ROOM)
        await use_all_threads(server)
        proxy.silence()
        proxy.forwards_new = False
        asking = asyncio.create_task(post(server, SEND))
        await asyncio.sleep(1)  # until the mutation, and the poll of the hub, wait
        told = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        await asyncio.to_thread(server.stop)
        assert time.monotonic() - told < 12
        await asyncio.gather(asking, return_exceptions=True)
