"""Somebody's schema, with plain sources: no live field, no database."""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from ariadne import QueryType, SubscriptionType, make_executable_schema
from graphql import GraphQLError

TYPE_DEFS = """
type Query { slow: String  quick: String  broken: String  remember(word: String): [String!] }
type Mutation { quick: String }
type Subscription {
  endless: Int!
  three: Int!
  odd: Int!
  breaking: Int!
  forbidden: Int!
  slowly: Int!
  remembered: [String!]
  tidy: Int!
  stubborn: Int!
  clumsy: Int!
}
"""


def subscription_fields() -> list[str]:
    return re.findall(r"(\w+):", TYPE_DEFS.partition("type Subscription")[2])


class Stranger:
    """The schema; it keeps what happens to its fields, `slow` and `slowly` wait for `release`."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.release = asyncio.Event()
        self._signals: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(0))
        query, subscription = QueryType(), SubscriptionType()

        @query.field("slow")
        async def slow(*_: Any) -> str:
            self._tell("slow started")
            try:
                await self.release.wait()
            finally:
                self._tell("slow ended")
            return "done"

        @query.field("quick")
        def quick(*_: Any) -> str:
            self._tell("quick started")
            return "done"

        @query.field("broken")
        def broken(*_: Any) -> str:
            raise KeyError("a secret")

        @query.field("remember")
        def remember(_: Any, info: Any, word: str | None = None) -> list[str]:
            words: list[str] = info.context.setdefault("words", [])
            if word is not None:
                info.context["words"] = [*words, word]
            return list(info.context["words"])

        @subscription.source("endless")
        async def endless(*_: Any) -> AsyncGenerator[int, None]:
            self._tell("endless started")
            try:
                yield 1
                await asyncio.Event().wait()
            finally:
                self._tell("endless ended")

        @subscription.source("three")
        async def three(*_: Any) -> AsyncGenerator[int, None]:
            for number in (1, 2, 3):
                yield number

        @subscription.field("odd")
        def odd(number: int, *_: Any) -> int:
            if number == 2:
                raise GraphQLError("Not odd")
            return number

        subscription.set_source("odd", three)

        @subscription.source("breaking")
        async def breaking(*_: Any) -> AsyncGenerator[int, None]:
            yield 1
            raise KeyError("a secret")

        @subscription.source("forbidden")
        async def forbidden(*_: Any) -> AsyncGenerator[int, None]:
            raise GraphQLError("Not for you", extensions={"code": "FORBIDDEN"})
            yield 1

        @subscription.source("tidy")
        async def tidy(*_: Any) -> AsyncGenerator[int, None]:
            try:
                yield 1
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.01)
                self._tell("tidy ended")

        @subscription.source("stubborn")
        async def stubborn(*_: Any) -> AsyncGenerator[int, None]:
            yield 1
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            self._tell("stubborn went on")
            yield 2

        @subscription.source("clumsy")
        async def clumsy(*_: Any) -> AsyncGenerator[int, None]:
            try:
                yield 1
                await asyncio.Event().wait()
            finally:
                self._tell("clumsy ended")
                raise KeyError("a secret")

        async def slowly(*_: Any) -> Any:
            self._tell("slowly started")
            try:
                await self.release.wait()
            finally:
                self._tell("slowly ended")
            return endless()

        @subscription.source("remembered")
        async def remembered(_: Any, info: Any) -> AsyncGenerator[list[str], None]:
            yield remember(_, info)

        subscription.set_source("slowly", slowly)  # type: ignore[arg-type]  # subscribing takes time
        for name in subscription_fields():
            if name != "odd":
                subscription.set_field(name, lambda value, *_: value)
        self.schema = make_executable_schema(TYPE_DEFS, query, subscription)

    async def has(self, what: str) -> None:
        """Wait until it happens, each time once."""
        async with asyncio.timeout(5):
            await self._signals[what].acquire()

    def _tell(self, what: str) -> None:
        self.happened.append(what)
        self._signals[what].release()
