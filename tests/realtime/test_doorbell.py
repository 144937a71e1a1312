"""The doorbell between processes, over a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from channels.layers import channel_layers

from realtime import doorbell, log
from realtime.database import in_database
from realtime.doorbell import broadcast
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
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[dict[str, str]]:
    """Use Redis, and no sweep; return the environment of another process that does."""
    monkeypatch.setattr(doorbell, "_reachable", doorbell._Reachability())
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
    await channel_layers["default"].flush()


async def tell(environment: dict[str, str], call: str) -> None:
    """Have another process say something, again and again: we may be joining the groups yet."""
    code = f"""
from time import sleep
from realtime import doorbell
for _ in range(40):
    doorbell.{call}
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
    listener = Hub.current().broadcasts("news")
    telling = asyncio.create_task(tell(on_redis, "broadcast('news', {'text': 'Hello'})"))
    async with asyncio.timeout(10):
        assert (await anext(listener)).value == {"text": "Hello"}
    await telling
    await listener.aclose()


async def test_our_own_broadcast_is_heard_once(on_redis: dict[str, str]) -> None:
    listener = Hub.current().broadcasts("news")
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


async def test_a_listener_that_loses_the_layer_says_so_once(
    on_redis: dict[str, str], redis_server: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "realtime")
    listener = Hub.current().broadcasts("news")
    await tell(on_redis, "broadcast('news', 'before')")  # by now we have joined
    await asyncio.to_thread(redis_server.kill)
    try:
        await tell(on_redis, "broadcast('news', 'lost')")  # for some seconds
    finally:
        await asyncio.to_thread(redis_server.start)
    assert caplog.text.count("The channel layer fails") == 1
    telling = asyncio.create_task(tell(on_redis, "broadcast('news', 'after')"))
    async with asyncio.timeout(10):
        while (await anext(listener)).value != "after":
            pass
    await telling
    await listener.aclose()
    assert caplog.text.count("The channel layer is back") == 1
    assert "Traceback" not in caplog.text


def publish_one(n: int) -> None:
    from realtime.publishing import publish

    publish([change("a", n)])
