"""Mutations that wait for a lock: nothing else waits with them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.e2e.locks import lock_room, waiting_for_locks
from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import ServerProcess, manage
from tests.harness.servers import Environment, migrated
from tests.harness.services import Postgres
from tests.harness.websocket_client import GraphQLSocket

WRITERS = 8
"""More than a process has threads for mutations."""

FOLLOW = 'subscription { onNewChatMessage(chatroom: "dogs") { text } }'
QUERY = '{ roomMessages(chatroom: "dogs") { cursor } }'


def send(room: str) -> str:
    return f'mutation {{ sendChatMessage(chatroom: "{room}", text: "Hi") {{ ok }} }}'


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(WRITERS + 2) as threads:
        yield threads


class Api:
    """GraphQL over HTTP at one server."""

    def __init__(self, server: ServerProcess, clients: ThreadPoolExecutor) -> None:
        self._http = GraphQLHTTP(server.graphql_url)
        self._clients = clients

    def post(self, query: str) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._clients, self._http.post, query)


async def write_in(api: Api, rooms: tuple[str, ...]) -> None:
    for room in rooms:
        assert await api.post(send(room)) == {"data": {"sendChatMessage": {"ok": True}}}


@pytest.fixture(scope="module")
def environment(postgres: Postgres) -> Environment:
    environment = {"DEBUG": "1", "SECRET_KEY": "end-to-end", "DATABASE_URL": postgres.url}
    manage("migrate", "--verbosity", "0", env=environment)
    return environment


@pytest.fixture(scope="module")
def server(environment: Environment) -> Iterator[ServerProcess]:
    with ServerProcess("uvicorn", environment) as server:
        yield server


@pytest.fixture(scope="module")
def another(environment: Environment) -> Iterator[ServerProcess]:
    with ServerProcess("uvicorn", environment) as server:
        yield server


@pytest.fixture
async def waiting(
    server: ServerProcess, postgres: Postgres, clients: ThreadPoolExecutor
) -> AsyncIterator[list[asyncio.Future[Any]]]:
    """Have mutations wait for a lock."""
    api = Api(server, clients)
    await write_in(api, ("cats", "dogs"))
    async with await psycopg.AsyncConnection.connect(postgres.url) as other:
        await lock_room(other, "cats")
        writers = [api.post(send("cats")) for _ in range(WRITERS)]
        await waiting_for_locks(postgres, 4)
        yield writers
    await asyncio.wait(writers)


async def test_events_of_others_arrive(
    server: ServerProcess,
    another: ServerProcess,
    clients: ThreadPoolExecutor,
    waiting: list[asyncio.Future[Any]],
) -> None:
    async with GraphQLSocket(server.ws_url) as socket:
        room = await socket.live(FOLLOW)
        await write_in(Api(another, clients), ("dogs",))
        assert await room.next() == {"data": {"onNewChatMessage": {"text": "Hi"}}}
        assert not any(writer.done() for writer in waiting)


async def test_queries_are_answered(
    server: ServerProcess,
    clients: ThreadPoolExecutor,
    waiting: list[asyncio.Future[Any]],
) -> None:
    assert "errors" not in await Api(server, clients).post(QUERY)
    assert not any(writer.done() for writer in waiting)


async def test_who_waits_too_long_is_told_to_try_again(
    server: ServerProcess, waiting: list[asyncio.Future[Any]]
) -> None:
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    [error] = done.pop().result()["errors"]
    assert error["extensions"]["code"] == "CONFLICT"
    assert "Traceback" not in server.log()


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return migrated(tmp_path_factory)


@pytest.fixture(scope="module")
def server_on_sqlite(sqlite: Environment) -> Iterator[ServerProcess]:
    with ServerProcess("uvicorn", sqlite) as server:
        yield server


async def test_queries_are_answered_and_subscriptions_begin_on_sqlite(
    sqlite: Environment, server_on_sqlite: ServerProcess, clients: ThreadPoolExecutor
) -> None:
    api = Api(server_on_sqlite, clients)
    await write_in(api, ("cats", "dogs"))
    path = Path(sqlite["DATABASE_URL"].removeprefix("sqlite:///"))
    database = sqlite3.connect(path)
    try:
        database.execute("BEGIN IMMEDIATE")
        writers = [api.post(send("cats")) for _ in range(WRITERS)]
        await asyncio.sleep(0.5)  # nobody can see that SQLite waits
        async with GraphQLSocket(server_on_sqlite.ws_url) as socket:
            await socket.live(FOLLOW)
            assert "errors" not in await api.post(QUERY)
        assert not any(writer.done() for writer in writers)
    finally:
        database.close()
    assert all(["errors" not in await writer for writer in writers])
