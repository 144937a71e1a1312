"""A subscription may live for months."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import Any

from ariadne import SubscriptionType, make_executable_schema

from realtime.asgi import graphql_app
from realtime.testing import GraphQLClient

SCHEMA = """
type Query { nothing: Int }
type Subscription { pages: Page! }
type Page { number: Int! }
"""


async def test_its_results_leave_nothing_behind() -> None:
    subscription, wanted = SubscriptionType(), asyncio.Semaphore(0)

    @subscription.source("pages")
    async def pages(*_: Any) -> AsyncGenerator[dict[str, int], None]:
        while True:
            await wanted.acquire()
            yield {"number": 1}

    subscription.set_field("pages", lambda page, _: page)
    app = graphql_app(make_executable_schema(SCHEMA, subscription))
    async with GraphQLClient(app) as client:
        results = await client.subscribe("subscription { pages { number } }")

        async def objects() -> int:
            """Return how many there are when another thousand results have come."""
            for _ in range(1_000):
                wanted.release()
                await results.receive()
            gc.collect()
            return len(gc.get_objects())

        before = await objects()
        assert await objects() < before + 100
