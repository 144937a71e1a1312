"""The doorbell between processes, over a real Redis."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import pytest
from channels.layers import channel_layers
from redis.asyncio import Redis as RedisClient

from accounts.models import User
from realtime import log, tasks
from realtime.broadcasts import broadcast
from realtime.database import in_database
from realtime.doorbell import reachability, ring
from realtime.hub import Hub
from tests.harness.server import manage
from tests.harness.services import Redis
from tests.realtime.conftest import Titles, change, received, subscribed

pytestmark = pytest.mark.django_db(transaction=True)

NEVER = 3600.0


@pytest.fixture
async def on_redis(
    redis_server: Redis,
    settings: Any,
    realtime_settings: Callable[..., None],
) -> AsyncIterator[dict[str, str]]:
    """Use Redis, and no sweep; return the environment of another process that does."""
    reachability.reset()
    realtime_settings(SWEEP_INTERVAL=NEVER)
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [redis_server.url]},
        }
    }
    yield {
        "SECRET_KEY": "tests",
        "DATABASE_URL": "sqlite:///build/unused.sqlite3",
        "REDIS_URL": redis_server.url,
    }
    # It waits for a task that it cancels once, which redis-py may take for its own time-out.
    while not await tasks.in_time(channel_layers["default"].flush(), 2):
        pass


async def tell(environment: dict[str, str], call: str) -> None:
    """Have another process say something, again and again: we may be joining the groups yet."""
    code = f"""
from time import sleep
from realtime.broadcasts import broadcast
from realtime.doorbell import ring
for _ in range(40):
    {call}
    sleep(0.05)
"""
    await asyncio.to_thread(manage, "shell", "--verbosity", "0", "-c", code, env=environment)


async def test_a_ring_of_another_process_brings_the_event_once(
    feed: Titles, on_redis: dict[str, str]
) -> None:
    async with subscribed(feed, "a") as subscription:
        heads = await in_database(log.append)([change("a", 1)], using="default")
        telling = asyncio.create_task(tell(on_redis, f"ring({{'a': {tuple(heads['a'])!r}}})"))
        assert await received(subscription, 1) == ["1"]
        await telling
        assert feed.reads == 1


async def test_a_broadcast_of_another_process_is_heard(on_redis: dict[str, str]) -> None:
    listener = Hub.current().broadcasts(["news"])
    telling = asyncio.create_task(tell(on_redis, "broadcast('news', {'text': 'Hello'})"))
    async with asyncio.timeout(10):
        assert (await anext(listener)).value == {"text": "Hello"}
    await telling
    await listener.aclose()


async def test_our_own_broadcast_is_heard_once(on_redis: dict[str, str]) -> None:
    listener = Hub.current().broadcasts(["news"])
    await tell(on_redis, "broadcast('news', 'theirs')")  # by now we have joined
    broadcast("news", "ours")
    await tell(on_redis, "broadcast('news', 'theirs')")
    async with asyncio.timeout(10):
        heard = [(await anext(listener)).value for _ in range(50)]
    assert heard.count("ours") == 1
    await listener.aclose()


async def test_a_layer_that_is_away_is_said_once(
    on_redis: dict[str, str], redis_server: Redis, caplog: pytest.LogCaptureFixture, feed: Titles
) -> None:
    await asyncio.to_thread(redis_server.kill)
    try:
        async with subscribed(feed, "a") as subscription:
            for n in range(3):
                await in_database(publish_one)(n)
            assert await received(subscription, 3) == ["0", "1", "2"]
            async with asyncio.timeout(10):
                while "The channel layer fails" not in caplog.text:
                    await asyncio.sleep(0.01)
            await in_database(publish_one)(3)
            await received(subscription, 1)
    finally:
        await asyncio.to_thread(redis_server.start)
    assert caplog.text.count("The channel layer fails") == 1


async def known(*, reachable: bool) -> None:
    """Wait until it is known whether the layer can be reached."""
    async with asyncio.timeout(10):
        while reachability.is_reachable is not reachable:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def without(redis_server: Redis) -> AsyncIterator[None]:
    await asyncio.to_thread(redis_server.kill)
    try:
        yield
    finally:
        await asyncio.to_thread(redis_server.start)


async def test_who_listens_notices_that_the_layer_is_back_though_nobody_speaks(
    on_redis: dict[str, str], redis_server: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "realtime")
    listener = Hub.current().broadcasts(["news"])
    await tell(on_redis, "broadcast('news', 'before')")  # by now we have joined
    async with without(redis_server):
        await known(reachable=False)
    await known(reachable=True)
    telling = asyncio.create_task(tell(on_redis, "broadcast('news', 'after')"))
    async with asyncio.timeout(10):
        while (await anext(listener)).value != "after":
            pass
    await telling
    await listener.aclose()
    assert caplog.text.count("The channel layer fails") == 1
    assert caplog.text.count("The channel layer is back") == 1
    assert reachability.losses == 1
    assert "Traceback" not in caplog.text


async def test_who_only_speaks_notices_that_the_layer_is_back(
    on_redis: dict[str, str], redis_server: Redis
) -> None:
    async with without(redis_server):
        ring({"a": (1, "epoch")})
        await known(reachable=False)
    await known(reachable=True)


async def test_who_has_ceased_to_listen_notices_that_the_layer_is_back(
    on_redis: dict[str, str], redis_server: Redis
) -> None:
    listener = Hub.current().broadcasts(["news"])
    await tell(on_redis, "broadcast('news', 'before')")  # by now we have joined
    async with without(redis_server):
        await known(reachable=False)
        await listener.aclose()
        assert not reachability.is_reachable
    await known(reachable=True)


class Wire:
    """What goes over Redis, seen from beside."""

    def __init__(self, url: str) -> None:
        self._client = RedisClient.from_url(url)
        self._pubsub = self._client.pubsub()

    async def __aenter__(self) -> "Wire":
        await self._pubsub.psubscribe("*")
        assert await self._pubsub.get_message(timeout=10)  # the confirmation
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]
        await self._client.aclose()

    async def message(self) -> dict[str, Any]:
        """Return the next message."""
        received = await self._pubsub.get_message(timeout=10)
        assert received is not None, "no message came"
        message: dict[str, Any] = channel_layers["default"].deserialize(received["data"])
        return message


async def rested(redis_server: Redis) -> None:
    """Have a connection that was used, and that Redis has ended since."""
    async with Wire(redis_server.url) as wire:
        ring({"a": (1, "epoch")})
        await wire.message()
    async with without(redis_server):
        pass


async def test_the_first_ring_after_a_restart_is_heard(
    on_redis: dict[str, str], redis_server: Redis
) -> None:
    await rested(redis_server)
    async with Wire(redis_server.url) as wire:
        ring({"a": (2, "epoch")})
        assert (await wire.message())["heads"] == [["a", [2, "epoch"]]]
    assert reachability.losses == 0


async def test_a_broadcast_that_fails_is_not_repeated(
    on_redis: dict[str, str], redis_server: Redis
) -> None:
    await rested(redis_server)
    async with Wire(redis_server.url) as wire:
        broadcast("news", "lost")
        assert (await wire.message())["broadcasts"] == []
        broadcast("news", "next")
        assert (await wire.message())["broadcasts"] == [["news", '"next"']]
    assert reachability.losses == 1


class TestShortLivedProcesses:
    """What a process says last goes out, though it ends at once."""

    @pytest.fixture
    def by_name(self, on_redis: dict[str, str]) -> dict[str, str]:
        """Return an environment where the address of Redis is to be looked up first."""
        return {**on_redis, "REDIS_URL": on_redis["REDIS_URL"].replace("127.0.0.1", "localhost")}

    @pytest.mark.parametrize(
        "call", ["broadcast('news', 'last words')", "asyncio.run(abroadcast('news', 'last words'))"]
    )
    async def test_its_last_words_are_heard(
        self, call: str, by_name: dict[str, str], redis_server: Redis
    ) -> None:
        async with Wire(redis_server.url) as wire:
            await say(by_name, call)
            assert (await wire.message())["broadcasts"] == [["news", '"last words"']]

    async def test_also_when_there_are_many(
        self, by_name: dict[str, str], redis_server: Redis
    ) -> None:
        async with Wire(redis_server.url) as wire:
            await say(by_name, "for n in range(5000): broadcast('news', n)")
            heard: list[str] = []
            while len(heard) < 5000:
                heard += [text for _, text in (await wire.message())["broadcasts"]]
        assert heard == [f"{n}" for n in range(5000)]

    async def test_a_layer_that_does_not_answer_holds_it_up_for_seconds_only(
        self, on_redis: dict[str, str]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
            begun = perf_counter()
            await say({**on_redis, "REDIS_URL": url}, "broadcast('news', 'into the void')")
            assert perf_counter() - begun < 20


async def say(environment: dict[str, str], code: str) -> None:
    """Have another process say something, and end."""
    code = f"import asyncio\nfrom realtime.broadcasts import abroadcast, broadcast\n{code}"
    await asyncio.to_thread(manage, "shell", "--verbosity", "0", "-c", code, env=environment)


async def test_broadcasts_arrive_in_order_also_where_some_are_to_be_read(
    on_redis: dict[str, str],
) -> None:
    user = await in_database(User.objects.create_user)("ariadne")
    listener = Hub.current().broadcasts(["news"])
    await tell(on_redis, "broadcast('news', 'before')")  # by now we have joined
    await say(
        on_redis,
        "from accounts.models import User\n"
        "for n in range(100):\n"
        f"    broadcast('news', [n, User(pk={user.pk})] if n % 3 else [n])\n",
    )
    async with asyncio.timeout(10):
        while (heard := (await anext(listener)).value) == "before":
            pass
        following = [heard] + [(await anext(listener)).value for _ in range(99)]
    assert following == [[n, user] if n % 3 else [n] for n in range(100)]
    await listener.aclose()


def publish_one(n: int) -> None:
    from realtime.publishing import publish

    publish([change("a", n)])
