"""Fields that say whether the server and its transports work."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from ariadne import QueryType, SubscriptionType

from accounts.viewer import Info

query = QueryType()
subscription = SubscriptionType()


@query.field("hello")
def resolve_hello(_: Any, info: Info) -> str:
    return "Hello world!"


@subscription.source("count")
async def count(_: Any, info: Info, target: int) -> AsyncGenerator[int, None]:
    for number in range(target):
        if number:
            await asyncio.sleep(1)
        yield number


@subscription.field("count")
def resolve_count(number: int, info: Info, target: int) -> int:
    return number


bindables = (query, subscription)
