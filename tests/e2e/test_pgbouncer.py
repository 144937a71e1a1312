"""A server that reaches PostgreSQL by way of PgBouncer in transaction mode."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.e2e.locks import lock_room
from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import ServerProcess, manage
from tests.harness.servers import Environment
from tests.harness.services import PgBouncer, Postgres
from tests.harness.websocket_client import GraphQLSocket

FOLLOW = 'subscription { onNewChatMessage(chatroom: "cats") { text } }'

PAGES = (
    "accounts/user/",
    "accounts/user/1/change/",
    "auth/group/add/",
    "messaging/message/",
    "messaging/room/",
    "messaging/roommessage/",
    "messaging/roommessage/add/",
    "orders/order/",
    "orders/order/add/",
    "realtime/event/",
    "realtime/topic/",
)

MAKE_ADMIN = (
    "from accounts.models import User; "
    "User.objects.create_superuser('root', 'root@example.org', 'a-password')"
)


@pytest.fixture(scope="module")
def environment(postgres: Postgres, pgbouncer: PgBouncer) -> Environment:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    environment = {"DEBUG": "1", "SECRET_KEY": "end-to-end", "DATABASE_URL": pgbouncer.url}
    manage("migrate", "--verbosity", "0", env=environment)
    manage("shell", "--verbosity", "0", "-c", MAKE_ADMIN, env=environment)
    return environment


@pytest.fixture(scope="module")
def server(environment: Environment) -> Iterator[ServerProcess]:
    with ServerProcess("uvicorn", environment) as server:
        yield server


def send(server: ServerProcess, text: str) -> Any:
    query = (
        'mutation Send($text: String!) { sendChatMessage(chatroom: "cats", text: $text) { ok } }'
    )
    return GraphQLHTTP(server.graphql_url).post(query, {"text": text})


def sent(server: ServerProcess, text: str) -> None:
    assert send(server, text) == {"data": {"sendChatMessage": {"ok": True}}}


@pytest.fixture(scope="module")
def cookie(server: ServerProcess) -> dict[str, str]:
    sent(server, "Hi")
    http = GraphQLHTTP(server.graphql_url)
    answer = http.post('mutation { login(username: "root", password: "a-password") { ok } }')
    assert answer == {"data": {"login": {"ok": True}}}
    return http.cookie_header


@pytest.mark.parametrize("page", PAGES)
def test_an_admin_page_opens(page: str, server: ServerProcess, cookie: dict[str, str]) -> None:
    request = urllib.request.Request(f"{server.url}/admin/{page}", headers=cookie)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as response:
        assert response.status == 200


def test_dumpdata_writes_all_rows(server: ServerProcess, environment: Environment) -> None:
    sent(server, "to be dumped")
    rows = json.loads(manage("dumpdata", "messaging", env=environment))
    assert "to be dumped" in [row["fields"].get("text") for row in rows]


async def test_events_arrive_and_are_resumed(server: ServerProcess) -> None:
    async with GraphQLSocket(server.ws_url) as socket:
        room = await socket.live(FOLLOW)
        for n in range(10):
            await asyncio.to_thread(sent, server, str(n))
            assert await room.next() == {"data": {"onNewChatMessage": {"text": str(n)}}}
        cursor = room.cursor
    for n in range(10, 15):
        await asyncio.to_thread(sent, server, str(n))
    async with GraphQLSocket(server.ws_url) as socket:
        room = await socket.subscribe(FOLLOW, extensions={"after": cursor})
        for n in range(10, 15):
            assert await room.next() == {"data": {"onNewChatMessage": {"text": str(n)}}}


async def test_waiting_for_a_lock_is_limited(server: ServerProcess, postgres: Postgres) -> None:
    await asyncio.to_thread(sent, server, "first")
    async with await psycopg.AsyncConnection.connect(postgres.url) as other:
        await lock_room(other, "cats")
        answer = await asyncio.to_thread(send, server, "waits")
    assert answer["errors"][0]["extensions"]["code"] == "CONFLICT"


def test_limits_stay_in_their_transaction(server: ServerProcess, pgbouncer: PgBouncer) -> None:
    for n in range(2 * pgbouncer.SERVER_CONNECTIONS):
        sent(server, str(n))
    with psycopg.connect(pgbouncer.url, autocommit=True, prepare_threshold=None) as connection:
        limits = [
            connection.execute("SHOW lock_timeout").fetchone()
            for _ in range(2 * pgbouncer.SERVER_CONNECTIONS)
        ]
    assert {*limits} == {("0",)}
