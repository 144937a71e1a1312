"""The project's application beside a stranger's schema, and a window on what the process holds.

`/held` tells what is alive in the process; `/stranger/` has a slow query, and endless
sources that say in the log when they have ended. `WATCHED_REALTIME` are settings, as JSON.
"""

import asyncio
import gc
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

from ariadne import QueryType, SubscriptionType, make_executable_schema
from django.conf import settings
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_project.settings")
# Before anything asks for them.
settings.REALTIME = {**settings.REALTIME, **json.loads(os.environ.get("WATCHED_REALTIME", "{}"))}

from django_project.asgi import application as project  # noqa: E402
from realtime.asgi import graphql_app  # noqa: E402
from realtime.connection import Connection  # noqa: E402
from realtime.stream import Stream  # noqa: E402
from realtime.subscription import Subscription  # noqa: E402
from realtime.transports.reservations import EventStream  # noqa: E402
from tests.harness import ENDED  # noqa: E402

query, subscription = QueryType(), SubscriptionType()
query.set_field("quick", lambda *_: "done")
query.set_field("large", lambda *_, texts: ["\x01" * 2_000 for _ in range(texts)])


@query.field("slow")
async def slow(_: Any, info: Any, seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"


@subscription.source("endless")
async def endless(*_: Any) -> AsyncGenerator[int, None]:
    try:
        yield 1
        await asyncio.Event().wait()
    finally:
        sys.stderr.write(f"{ENDED}\n")


@subscription.source("flood")
async def flood(*_: Any) -> AsyncGenerator[str, None]:
    try:
        while True:
            yield "x" * 100_000
            await asyncio.sleep(0.001)
    finally:
        sys.stderr.write(f"{ENDED}\n")


for name in ("endless", "flood"):
    subscription.set_field(name, lambda value, _: value)
stranger = graphql_app(
    make_executable_schema(
        "type Query { quick: String!  slow(seconds: Float!): String!"
        "  large(texts: Int!): [String!]! }"
        "type Subscription { endless: Int!  flood: String! }",
        query,
        subscription,
    )
)


def held() -> dict[str, int]:
    """Count the tasks, and the objects that a client leaves behind if anything does."""
    gc.unfreeze()  # which is looked at then, and otherwise not even counted
    gc.collect()
    gc.unfreeze()
    kinds = (Connection, Stream, Subscription, EventStream)
    types = (type(each) for each in gc.get_objects())
    alive = Counter(kind.__name__ for kind in types if issubclass(kind, kinds))
    return {"tasks": len(asyncio.all_tasks()), **alive}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection."""
    match scope["type"], scope.get("path"):
        case "http", "/held":
            await JSONResponse(held())(scope, receive, send)
        case "http" | "websocket", "/stranger/":
            await stranger(scope, receive, send)
        case _:
            await project(scope, receive, send)
