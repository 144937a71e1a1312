"""The sweep over ten thousand live topics."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from time import monotonic
from typing import Any

import pytest
from django.db.backends.utils import CursorWrapper

from realtime import log
from realtime.database import in_database
from realtime.subscription import Subscription
from tests.realtime.conftest import Titles, change, received, subscribed

pytestmark = pytest.mark.django_db(transaction=True)

silently = in_database(lambda changes: log.append(changes, using="default"))
"""As another process would: nobody here is rung."""

TOPICS = [f"topic.{n}" for n in range(10_000)]
EACH = 100
"""Topics of one subscription."""

INTERVAL = 0.5


@pytest.fixture
async def live(
    feed: Titles, realtime_settings: Callable[..., None]
) -> AsyncIterator[list[Subscription]]:
    """Follow ten thousand topics, on each of which something has happened."""
    realtime_settings(SWEEP_INTERVAL=INTERVAL)
    await silently([change(topic, 0) for topic in TOPICS])
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(subscribed(feed, *TOPICS[start : start + EACH]))
            for start in range(0, len(TOPICS), EACH)
        ]


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the queries of all threads."""
    made: list[str] = []

    def execute(self: CursorWrapper, sql: str, params: Any = None) -> Any:
        made.append(sql)
        return original(self, sql, params)

    original = CursorWrapper.execute
    monkeypatch.setattr(CursorWrapper, "execute", execute)
    return made


async def test_it_is_one_query(live: list[Subscription], queries: list[str]) -> None:
    async with asyncio.timeout(30):
        while len(queries) < 1:
            await asyncio.sleep(0.01)
        queries.clear()
        begun = monotonic()
        while len(queries) < 6:
            await asyncio.sleep(0.01)
    assert monotonic() - begun > 5 * INTERVAL


async def test_it_finds_what_no_doorbell_told(live: list[Subscription]) -> None:
    await silently([change(TOPICS[-1], "unheard")])
    assert await received(live[-1], 1) == ["unheard"]
