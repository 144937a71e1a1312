"""Connections to Redis that are dead, though their peer still acknowledges what is sent."""

import asyncio
import re
import urllib.request
from collections.abc import Iterator

import pytest

from tests.harness.partition import Partition
from tests.harness.server import ServerProcess, manage
from tests.harness.servers import Environment, migrated
from tests.harness.services import Redis
from tests.harness.websocket_client import GraphQLSocket

LISTEN = "subscription { realTimeMessages }"


@pytest.fixture
def partition(redis_server: Redis) -> Iterator[Partition]:
    with Partition(redis_server.port) as partition:
        yield partition


@pytest.fixture(params=["pubsub", "core"])
def environment(
    redis_server: Redis, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    return {
        **migrated(tmp_path_factory),
        "REALTIME_LAYER": request.param,
        "REDIS_URL": redis_server.url,
        "METRICS_TOKEN": "a-token",
    }


def behind(partition: Partition, environment: Environment) -> Environment:
    return {**environment, "REDIS_URL": f"redis://127.0.0.1:{partition.port}/0"}


def is_reachable(server: ServerProcess) -> bool:
    """Return what the metrics tell of the channel layer."""
    request = urllib.request.Request(
        f"{server.url}/metrics", headers={"Authorization": "Bearer a-token"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as response:
        metrics = response.read().decode()
    found = re.search(r"^realtime_channel_layer_reachable (\d)", metrics, re.MULTILINE)
    assert found
    return found[1] == "1"


async def until_reachable(server: ServerProcess, expected: bool) -> None:
    async with asyncio.timeout(20):
        while await asyncio.to_thread(is_reachable, server) is not expected:
            await asyncio.sleep(0.05)


async def announce(text: str, environment: Environment) -> None:
    """Have another process send a broadcast."""
    code = f"from realtime.broadcasts import broadcast; broadcast('announcements', {text!r})"
    await asyncio.to_thread(manage, "shell", "--verbosity", "0", "-c", code, env=environment)


async def test_a_process_that_only_listens_notices_and_hears_again(
    environment: Environment, partition: Partition
) -> None:
    with ServerProcess("uvicorn", behind(partition, environment)) as server:
        async with GraphQLSocket(server.ws_url) as socket:
            news = await socket.live(LISTEN)
            await announce("before", environment)
            assert await news.next() == {"data": {"realTimeMessages": "before"}}
            partition.cut()
            await until_reachable(server, False)
            await until_reachable(server, True)
            await announce("after", environment)
            assert await news.next() == {"data": {"realTimeMessages": "after"}}
        assert server.log().count("The channel layer fails") == 1, server.log()
        assert server.log().count("The channel layer is back") == 1, server.log()
        assert "Traceback" not in server.log(), server.log()
