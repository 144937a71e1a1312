"""What another process does on the same SQLite file reaches the subscribers of the first."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import ServerProcess, manage
from tests.harness.servers import Environment, migrated
from tests.harness.websocket_client import GraphQLSocket

SEND = """mutation Send($room: String!, $text: String!) {
    sendChatMessage(chatroom: $room, text: $text) { ok } }"""
ORDERS = "subscription { getOrder { id state deleted description } }"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = migrated(tmp_path_factory)
    load = "from django_project.demo import load_demo; load_demo()"
    manage("shell", "--verbosity", "0", "-c", load, env=environment)
    return environment


@pytest.fixture(scope="module")
def server(environment: Environment) -> Iterator[ServerProcess]:
    with ServerProcess("uvicorn", environment) as process:
        yield process


def shell(environment: Environment, code: str) -> None:
    imports = "from accounts.models import User; from orders.models import Order; "
    manage("shell", "--verbosity", "0", "-c", imports + code, env=environment)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("o = Order.objects.get(pk=1); o.description = 'saved'; o.save()", [("1", "saved", False)]),
        (
            "Order.objects.filter(pk__in=[1, 2]).update(description='updated')",
            [("1", "updated", False), ("2", "updated", False)],
        ),
        (
            "Order.objects.bulk_create("
            "[Order(pk=p, user_id=2, description='bulk') for p in (8, 9)])",
            [("8", "bulk", False), ("9", "bulk", False)],
        ),
        (
            "User.objects.get(pk=2).delete()",
            [("2", "updated", True), ("8", "bulk", True), ("9", "bulk", True)],
        ),
    ],
    ids=["save", "update", "bulk_create", "cascade"],
)
async def test_a_change_in_a_shell_arrives(
    code: str, told: list[tuple[str, str, bool]], server: ServerProcess, environment: Environment
) -> None:
    async with GraphQLSocket(server.ws_url) as socket:
        orders = await socket.live(ORDERS)
        await orders.next()  # the newest, at once
        await asyncio.to_thread(shell, environment, code)
        came = [(await orders.next())["data"]["getOrder"] for _ in told]
        assert sorted((o["id"], o["description"], o["deleted"]) for o in came) == told


async def test_two_servers_share_one_file(server: ServerProcess, environment: Environment) -> None:
    listen = 'subscription { onNewChatMessage(chatroom: "kittens") { text } }'
    with ServerProcess("daphne", environment) as other:
        http = [GraphQLHTTP(each.graphql_url) for each in (server, other)]
        async with GraphQLSocket(server.ws_url) as here, GraphQLSocket(other.ws_url) as there:
            streams = [await socket.live(listen) for socket in (here, there)]
            for n in range(20):
                await asyncio.to_thread(http[n % 2].post, SEND, {"room": "kittens", "text": str(n)})
            for stream in streams:
                texts = [
                    (await stream.next())["data"]["onNewChatMessage"]["text"] for _ in range(20)
                ]
                assert texts == [str(n) for n in range(20)]


async def test_two_hundred_concurrent_writers_over_two_servers(
    server: ServerProcess, environment: Environment
) -> None:
    """Each writer is a socket of its own; offsets have no hole, so the stream has none."""
    with ServerProcess("uvicorn", environment) as other:

        async def write(writer: int) -> None:
            url = (server, other)[writer % 2].ws_url
            async with GraphQLSocket(url) as socket:
                answer = await socket.execute(
                    SEND, {"room": "busy", "text": str(writer)}, timeout=60
                )
                assert answer == {"data": {"sendChatMessage": {"ok": True}}}

        async with GraphQLSocket(server.ws_url) as socket:
            room = await socket.live(
                'subscription { onNewChatMessage(chatroom: "busy") { id text } }'
            )
            async with asyncio.TaskGroup() as group:
                for writer in range(200):
                    group.create_task(write(writer))
            came = [(await room.next())["data"]["onNewChatMessage"] for _ in range(200)]
            await room.nothing(0.5)
        assert sorted(int(message["text"]) for message in came) == list(range(200))
        history = await asyncio.to_thread(
            GraphQLHTTP(server.graphql_url).post, '{ history(chatroom: "busy") { id } }'
        )
        ids = [message["id"] for message in came]
        assert ids == [message["id"] for message in history["data"]["history"]]
