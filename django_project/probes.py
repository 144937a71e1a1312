"""Fields that say whether the server and its transports work."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from ariadne import QueryType, SubscriptionType

from accounts.viewer import Info

TARGET = 5
"""Where `count` ends unless told."""
PAUSE = 1.0
"""Seconds between its numbers."""

query = QueryType()
subscription = SubscriptionType()


@query.field("hello")
def resolve_hello(_: Any, info: Info) -> str:
    return "Hello world!"


@subscription.source("count")
async def count(_: Any, info: Info, target: int | None) -> AsyncGenerator[int, None]:
    for number in range(TARGET if target is None else target):
        if number:
            await asyncio.sleep(PAUSE)
        yield number


@subscription.field("count")
def resolve_count(number: int, info: Info, target: int | None) -> int:
    return number


bindables = (query, subscription)
