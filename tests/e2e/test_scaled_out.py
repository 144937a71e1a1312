"""Two servers on PostgreSQL and Redis."""

import asyncio
import re
import urllib.request

import pytest

from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import ServerProcess, manage
from tests.harness.servers import Environment
from tests.harness.services import Postgres, Redis
from tests.harness.websocket_client import GraphQLSocket

SEND = """mutation Send($room: String!, $text: String!) {
    sendChatMessage(chatroom: $room, text: $text) { ok } }"""


@pytest.fixture(params=["pubsub", "core"])
def environment(
    postgres: Postgres, redis_server: Redis, request: pytest.FixtureRequest
) -> Environment:
    environment = {
        "REALTIME_LAYER": request.param,
        "DEBUG": "1",
        "SECRET_KEY": "end-to-end",
        "DATABASE_URL": postgres.url,
        "REDIS_URL": redis_server.url,
    }
    manage("migrate", "--verbosity", "0", env=environment)
    return environment


async def test_two_servers_share_events_and_broadcasts(environment: Environment) -> None:
    with ServerProcess("uvicorn", environment) as one, ServerProcess("daphne", environment) as two:
        async with GraphQLSocket(one.ws_url) as socket:
            room = await socket.live('subscription { onNewChatMessage(chatroom: "cats") { text } }')
            news = await socket.live("subscription { realTimeMessages }")
            http = GraphQLHTTP(two.graphql_url)
            for n in range(10):
                await asyncio.to_thread(http.post, SEND, {"room": "cats", "text": str(n)})
            for n in range(10):
                assert await room.next() == {"data": {"onNewChatMessage": {"text": str(n)}}}
            announce = "from realtime.broadcasts import broadcast; broadcast('announcements', 'Hi')"
            await asyncio.to_thread(
                manage, "shell", "--verbosity", "0", "-c", announce, env=environment
            )
            assert await news.next() == {"data": {"realTimeMessages": "Hi"}}


async def test_events_arrive_without_redis_and_with_it_again(
    environment: Environment, redis_server: Redis
) -> None:
    with ServerProcess("uvicorn", environment) as one, ServerProcess("uvicorn", environment) as two:
        async with GraphQLSocket(one.ws_url) as socket:
            room = await socket.live('subscription { onNewChatMessage(chatroom: "dogs") { text } }')
            http = GraphQLHTTP(two.graphql_url)

            async def say(text: str) -> None:
                answer = await asyncio.to_thread(http.post, SEND, {"room": "dogs", "text": text})
                assert answer == {"data": {"sendChatMessage": {"ok": True}}}
                assert await room.next() == {"data": {"onNewChatMessage": {"text": text}}}

            await say("with")
            await asyncio.to_thread(redis_server.kill)
            try:
                await say("without")
            finally:
                await asyncio.to_thread(redis_server.start)
            await say("again")


async def test_an_outage_of_redis_is_a_metric_and_a_line_in_the_log(
    environment: Environment, redis_server: Redis
) -> None:
    environment = {**environment, "METRICS_TOKEN": "a-token"}
    with ServerProcess("uvicorn", environment) as server:

        def reachable() -> bool:
            request = urllib.request.Request(
                f"{server.url}/metrics", headers={"Authorization": "Bearer a-token"}
            )
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=10) as response:
                metrics = response.read().decode()
            value = re.search(r"^realtime_channel_layer_reachable (\d)", metrics, re.MULTILINE)
            assert value
            return value[1] == "1"

        async def until(expected: bool) -> None:
            async with asyncio.timeout(10):
                while await asyncio.to_thread(reachable) is not expected:
                    await asyncio.sleep(0.05)

        async with GraphQLSocket(server.ws_url) as socket:
            await socket.live('subscription { onNewChatMessage(chatroom: "mice") { text } }')
            await until(True)
            await asyncio.to_thread(redis_server.kill)
            try:
                await until(False)
            finally:
                await asyncio.to_thread(redis_server.start)
            await until(True)
        assert server.log().count("The channel layer fails") == 1
        assert server.log().count("The channel layer is back") == 1
