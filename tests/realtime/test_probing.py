"""A channel layer whose connections die without a word, or forget what they were told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from channels.layers import channel_layers
from channels_redis.core import RedisChannelLayer
from redis import TimeoutError as RedisTimeoutError
from redis._defaults import DEFAULT_SOCKET_TIMEOUT
from redis.asyncio import Redis as RedisClient

from realtime import doorbell, groups, tasks
from realtime.audience import Broadcasts
from realtime.broadcasts import broadcast
from realtime.doorbell import reachability
from realtime.hub import Hub
from tests.harness.partition import Partition
from tests.harness.server import manage
from tests.harness.services import Redis, redis_binary, require

pytestmark = pytest.mark.django_db(transaction=True)

BACKENDS = {
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "core": "channels_redis.core.RedisChannelLayer",
}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return BACKENDS[request.param]


@pytest.fixture(scope="module")
def servers(redis_server: Redis) -> Iterator[Sequence[Redis]]:
    with Redis(require("redis-server", redis_binary())) as other:
        yield [redis_server, other]


@pytest.fixture
def ways(servers: Sequence[Redis]) -> Iterator[Sequence[Partition]]:
    """Return ways to the servers that can be cut."""
    with ExitStack() as stack:
        yield [stack.enter_context(Partition(server.port)) for server in servers]


@pytest.fixture
async def use_layer(
    servers: Sequence[Redis],
    ways: Sequence[Partition],
    settings: Any,
    realtime_settings: Callable[..., None],
) -> AsyncIterator[Callable[..., None]]:
    """Return what sets the channel layer of this process."""
    reachability.reset()
    realtime_settings(SWEEP_INTERVAL=3600.0)

    def use(backend: str, *hosts: Any) -> None:
        settings.CHANNEL_LAYERS = {
            "default": {"BACKEND": backend, "CONFIG": {"hosts": [*hosts]}},
        }

    yield use
    layer = channel_layers["default"]
    if isinstance(layer, RedisChannelLayer):
        # Its own method would close the connections of the thread that sends, too.
        layer.connection(0)  # so that the loop has a part of the layer
        await layer._layers[asyncio.get_running_loop()].flush()
    else:
        # It waits for a task that it cancels once, which redis-py may take for its own time-out.
        while not await tasks.in_time(layer.flush(), 2):
            pass
    for server in servers:
        async with RedisClient.from_url(url(server)) as client:
            await client.flushall()


@pytest.fixture
async def listen(use_layer: Callable[..., None]) -> AsyncIterator[Callable[[], Broadcasts]]:
    """Return what listens to the topic `news`."""
    listeners: list[Broadcasts] = []

    def begin() -> Broadcasts:
        listeners.append(Hub.current().broadcasts(["news"]))
        return listeners[-1]

    yield begin
    for each in listeners:
        await each.aclose()


def url(server: Redis | Partition) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def until_lost_and_back() -> None:
    await until(lambda: not reachability.is_reachable)
    await until(lambda: reachability.is_reachable)


async def until_probed(server: Redis) -> None:
    """Wait until this process has joined the group of its probes."""
    async with RedisClient.from_url(url(server)) as client, asyncio.timeout(20):
        while not (
            await client.pubsub_channels("*realtime.probe*")
            or await client.keys("*realtime.probe*")
        ):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("which", [0, 1])
async def test_the_connection_to_each_server_of_the_layer_is_watched(
    which: int,
    backend: str,
    servers: Sequence[Redis],
    ways: Sequence[Partition],
    use_layer: Callable[..., None],
    listen: Callable[[], Broadcasts],
    caplog: pytest.LogCaptureFixture,
) -> None:
    use_layer(backend, *map(url, ways))
    listen()
    for server in servers:
        await until_probed(server)
    ways[which].cut()
    await until_lost_and_back()
    assert reachability.losses == 1
    assert "Traceback" not in caplog.text


async def test_sending_goes_on_within_seconds(
    backend: str, ways: Sequence[Partition], use_layer: Callable[..., None]
) -> None:
    use_layer(backend, url(ways[0]))
    broadcast("news", "before")
    await until_sent()
    ways[0].cut()
    broadcast("news", "lost")
    await until_lost_and_back()
    broadcast("news", "after")
    await until_sent()
    assert reachability.losses == 1


async def until_sent() -> None:
    """Wait until the thread that sends has nothing to do."""
    while doorbell._outgoing._executor is None:
        await asyncio.sleep(0.01)
    await asyncio.wrap_future(doorbell._outgoing._executor.submit(int))


async def test_a_server_that_forgets_the_groups_is_noticed(
    redis_server: Redis, use_layer: Callable[..., None], listen: Callable[[], Broadcasts]
) -> None:
    use_layer(BACKENDS["core"], url(redis_server))
    listen()
    await until_probed(redis_server)
    async with RedisClient.from_url(url(redis_server)) as client:
        await client.flushall()
    await until_lost_and_back()
    await until_probed(redis_server)


async def test_a_read_that_times_out_is_no_failure(
    redis_server: Redis,
    use_layer: Callable[..., None],
    listen: Callable[[], Broadcasts],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By default both the read and the time-out of the socket are 5 s."""
    timeouts: list[Exception] = []
    receive_single = RedisChannelLayer.receive_single

    async def counting(*args: Any) -> Any:
        try:
            return await receive_single(*args)
        except RedisTimeoutError as error:
            timeouts.append(error)
            raise

    monkeypatch.setattr(RedisChannelLayer, "receive_single", counting)
    monkeypatch.setattr(RedisChannelLayer, "brpop_timeout", 0.2)
    use_layer(BACKENDS["core"], {"address": url(redis_server), "socket_timeout": 0.2})
    listen()
    await until(lambda: len(timeouts) > 2)
    assert reachability.losses == 0


async def test_an_idle_layer_with_the_usual_time_outs_raises_no_alarm(
    redis_server: Redis, use_layer: Callable[..., None], listen: Callable[[], Broadcasts]
) -> None:
    use_layer(BACKENDS["core"], url(redis_server))
    listen()
    await until_probed(redis_server)
    await asyncio.sleep(DEFAULT_SOCKET_TIMEOUT + 1)
    assert reachability.losses == 0


class TestNumbersOfGroups:
    """Processes that have different numbers of groups miss messages of each other."""

    @pytest.fixture(autouse=True)
    async def _listening(
        self, redis_server: Redis, use_layer: Callable[..., None], listen: Callable[[], Broadcasts]
    ) -> None:
        groups._others.clear()
        use_layer(BACKENDS["pubsub"], url(redis_server))
        listen()
        await until_probed(redis_server)

    async def test_another_number_is_logged_once(
        self, redis_server: Redis, caplog: pytest.LogCaptureFixture
    ) -> None:
        await tell(redis_server, number=3)
        await until(lambda: "REALTIME" in caplog.text)
        await tell(redis_server, number=5)
        await until(
            lambda: "Another process has 5 notification groups, this one has 8" in caplog.text
        )
        assert caplog.text.count("Another process has 3 notification groups, this one has 8") == 1
        assert caplog.text.count('REALTIME["DOORBELL_GROUPS"]') == 2

    async def test_the_same_number_is_not(
        self, redis_server: Redis, caplog: pytest.LogCaptureFixture
    ) -> None:
        await tell(redis_server, number=8)
        await tell(redis_server, number=2)
        await until(lambda: "Another process has 2" in caplog.text)
        assert caplog.text.count("Another process") == 1


async def tell(server: Redis, number: int) -> None:
    """Have another process, with another number of groups, send broadcasts."""
    environment = {
        "SECRET_KEY": "tests",
        "DATABASE_URL": "sqlite:///build/unused.sqlite3",
        "REDIS_URL": url(server),
    }
    code = f"""
from django.conf import settings
from realtime.broadcasts import broadcast
from realtime.conf import get_settings
settings.REALTIME = {{**settings.REALTIME, "DOORBELL_GROUPS": {number}}}
get_settings.cache_clear()
broadcast("news", "one")
broadcast("elsewhere", "two")
"""
    await asyncio.to_thread(manage, "shell", "--verbosity", "0", "-c", code, env=environment)
