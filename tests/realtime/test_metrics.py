"""What Prometheus may know: each number follows what happens."""

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from realtime.asgi import graphql_app
from realtime.database import in_database
from realtime.doorbell import reachability
from realtime.metrics import RealtimeCollector
from realtime.publishing import publish
from realtime.reachability import Way
from realtime.testing import GraphQLClient, Socket
from tests.realtime.conftest import Titles, change, received, subscribed
from tests.realtime.stranger import Stranger
from tests.realtime.streams import HttpStream


class Growth:
    """What was added to the metrics since this began: other tests have left their counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._registry.register(RealtimeCollector())
        self._before: dict[tuple[str, str], float] = {}

    def __call__(self, name: str, code: str = "") -> float:
        value = self._registry.get_sample_value(f"realtime_{name}", {"code": code} if code else {})
        assert value is not None, f"there is no {name}"
        return value - self._before.setdefault((name, code), value)


@pytest.fixture
def growth() -> Growth:
    return Growth()


async def test_a_layer_that_is_lost_shows(growth: Growth) -> None:
    growth("channel_layer_losses_total")
    growth("channel_layer_reachable")
    reachability.lost(Way.SENDING, OSError())
    try:
        assert growth("channel_layer_losses_total") == 1
        assert growth("channel_layer_reachable") == -1
    finally:
        reachability.reset()


async def test_open_sockets_are_counted(growth: Growth, stranger: Stranger) -> None:
    growth("websocket_connections")
    async with GraphQLClient(graphql_app(stranger.schema)):
        assert growth("websocket_connections") == 1
    assert growth("websocket_connections") == 0


async def test_open_streams_are_counted(growth: Growth, stranger: Stranger) -> None:
    growth("http_streams")
    body = {"query": "subscription { endless }"}
    stream = HttpStream(graphql_app(stranger.schema), accept="text/event-stream", body=body)
    await stream.open()
    assert growth("http_streams") == 1
    await stream.leave()
    assert growth("http_streams") == 0


@pytest.mark.parametrize(
    ("subprotocol", "code"), [("graphql-transport-ws", "4400"), ("something-else", "4406")]
)
async def test_closes_are_counted_by_their_code(
    subprotocol: str, code: str, growth: Growth, stranger: Stranger
) -> None:
    growth("websocket_closes_total", code)
    async with Socket(graphql_app(stranger.schema), subprotocols=[subprotocol]) as socket:
        await socket.send("no JSON")
        await socket.closed()
    assert growth("websocket_closes_total", code) == 1


@pytest.mark.django_db(transaction=True)
class TestLiveFields:
    async def test_subscriptions_are_counted_until_they_end(
        self, growth: Growth, feed: Titles
    ) -> None:
        growth("subscriptions")
        async with subscribed(feed, "a", "b") as one, subscribed(feed, "a"):
            assert growth("subscriptions") == 2
            await one.aclose()
            assert growth("subscriptions") == 1
        assert growth("subscriptions") == 0

    async def test_a_topic_is_counted_once(self, growth: Growth, feed: Titles) -> None:
        growth("followed_topics")
        async with subscribed(feed, "a", "b"), subscribed(feed, "a"):
            assert growth("followed_topics") == 2
        assert growth("followed_topics") == 0

    async def test_an_event_is_counted_once(self, growth: Growth, feed: Titles) -> None:
        growth("events_handed_out_total")
        async with subscribed(feed, "a") as one, subscribed(feed, "a") as other:
            await in_database(publish)([change("a", 1), change("a", 2), change("b", 1)])
            await asyncio.gather(received(one, 2), received(other, 2))
        assert growth("events_handed_out_total") == 2

    async def test_a_reader_that_falls_behind_shows(
        self, growth: Growth, feed: Titles, realtime_settings: Callable[..., None]
    ) -> None:
        growth("subscription_overflows_total")
        realtime_settings(BUFFER_SIZE=1, READ_BATCH=1)
        async with subscribed(feed, "a") as slow:
            await in_database(publish)([change("a", 1), change("a", 2)])
            async with asyncio.timeout(10):
                while growth("subscription_overflows_total") < 1:
                    await asyncio.sleep(0)
            await received(slow, 2)
        assert growth("subscription_overflows_total") == 1
