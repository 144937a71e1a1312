"""Fixtures of the engine's tests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from threading import Barrier
from typing import Any

import pytest

from realtime import database
from realtime.asgi import graphql_app
from realtime.conf import get_settings
from realtime.delivery import Shown
from realtime.hub import Hub
from realtime.log import Change
from realtime.models import Event
from realtime.protocols import DIALECTS
from realtime.subscription import Subscription
from realtime.testing import GraphQLClient, Socket
from tests.realtime.library import library, token, user
from tests.realtime.stranger import Stranger
from tests.realtime.writing import way

__all__ = ["library", "token", "user", "way"]


class Titles:
    """A feed that shows of each event the id of its object, and counts its reads."""

    coalesces = False

    def __init__(self) -> None:
        self.reads = 0

    def values(self, events: Sequence[Event]) -> list[Shown]:
        self.reads += 1
        return [(event, event.object_id) for event in events]


def change(topic: str, object_id: object) -> Change:
    return Change(topic, Event.Kind.CREATED, str(object_id), {})


@pytest.fixture
def feed() -> Titles:
    return Titles()


@pytest.fixture(autouse=True)
def _database_at_rest(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have the database's threads done before a test's rows are deleted.

    Who is cancelled does not wait for them, and PostgreSQL does not delete what they read.
    """
    if request.node.get_closest_marker("django_db") is None:
        yield
        return
    request.getfixturevalue("_django_db_helper")  # what ends after this
    yield
    together = Barrier(sum(each.number for each in database.Threads) + 1)
    for threads in database.Threads:
        for _ in range(threads.number):
            database._hop(threads)._executor.submit(together.wait, 10)  # type: ignore[attr-defined]
    together.wait(10)


@asynccontextmanager
async def subscribed(feed: Any, *topics: str) -> AsyncIterator[Subscription]:
    subscription = await Hub.current().subscribe(topics, feed)
    try:
        yield subscription
    finally:
        await subscription.aclose()


async def received(subscription: Subscription, count: int) -> list[Any]:
    """Return the next values, which must come in time."""
    async with asyncio.timeout(10):
        return [(await anext(subscription)).value for _ in range(count)]


@pytest.fixture
def realtime_settings(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Callable[..., None]:
    """Set entries of REALTIME for one test.

    A buffer may be smaller than a batch here, which keeps tests short.
    """
    monkeypatch.setattr("realtime.conf.contradictions", list)

    def change(**entries: Any) -> None:
        settings.REALTIME = {**settings.REALTIME, **entries}

    return change


def hub_tasks() -> set[str]:
    """Name the tasks of this loop's hub; a channel layer may keep one of its own beside them."""
    return {
        name for task in asyncio.all_tasks() if (name := task.get_name()).startswith("realtime-")
    }


@pytest.fixture
async def stranger() -> Stranger:
    return Stranger()


@pytest.fixture(params=[dialect.SUBPROTOCOL for dialect in DIALECTS])
def subprotocol(request: pytest.FixtureRequest) -> str:
    """Run the test over each dialect."""
    dialect: str = request.param
    return dialect


@pytest.fixture
async def client(stranger: Stranger, subprotocol: str) -> AsyncIterator[GraphQLClient]:
    async with GraphQLClient(graphql_app(stranger.schema), subprotocol=subprotocol) as client:
        yield client


@asynccontextmanager
async def acknowledged(stranger: Stranger, subprotocol: str) -> AsyncIterator[Socket]:
    """Speak to a stranger's schema, message by message, after `connection_ack`."""
    async with Socket(graphql_app(stranger.schema), subprotocols=[subprotocol]) as socket:
        await socket.send({"type": "connection_init"})
        assert await socket.receive() == {"type": "connection_ack"}
        if subprotocol == "graphql-ws" and get_settings().keep_alive_interval:
            assert await socket.receive() == {"type": "ka"}
        yield socket
