"""The garbage collector: what it sets aside, and that connections do not need it."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import pytest
from ariadne import make_executable_schema
from graphql import Executor, GraphQLError, GraphQLSchema
from starlette.websockets import WebSocket

from realtime import collector
from realtime.asgi import graphql_app
from realtime.authentication import ViewerMiddleware
from realtime.collector import short_pauses
from realtime.connection import Connection
from realtime.database import in_database
from realtime.live import LiveSubscriptionType
from realtime.stream import Stream
from realtime.subscription import Subscription
from realtime.testing import GraphQLClient, OperationError
from realtime.viewer import Viewer
from tests.realtime.library import BOOKS, Library
from tests.shelf.models import Book


@pytest.mark.parametrize("generation", [0, 1, 2])
async def test_what_a_long_collection_has_left_the_next_does_not_look_at(
    generation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "LONG", 0)
    with short_pauses():
        alive: list[object] = []
        gc.collect(generation)
        assert not any(each is alive for each in gc.get_objects())


async def test_what_a_short_one_found_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "LONG", 60)
    with short_pauses():
        alive: list[object] = []
        gc.collect()
        assert any(each is alive for each in gc.get_objects())


async def test_now_and_then_everything_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "EVERYTHING", -1)
    with short_pauses():
        gc.collect()
        assert gc.get_freeze_count() == 0


async def test_afterwards_it_is_as_before() -> None:
    before = gc.get_threshold(), list(gc.callbacks), gc.get_freeze_count()
    with short_pauses():
        pass
    assert (gc.get_threshold(), gc.callbacks, gc.get_freeze_count()) == before


KINDS = (Connection, Executor, Stream, Subscription, Viewer, WebSocket)


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def held() -> Counter[str]:
    kinds = (type(each) for each in gc.get_objects())
    return Counter(kind.__name__ for kind in kinds if issubclass(kind, KINDS))


async def plain(*_: Any) -> AsyncGenerator[str, None]:
    yield "Emma"
    await asyncio.Event().wait()


async def broken(*_: Any) -> AsyncGenerator[str, None]:
    yield "Emma"
    raise GraphQLError("Not a bug, which the log would hold.")


@pytest.fixture
def schema() -> GraphQLSchema:
    live = LiveSubscriptionType()
    live.topics("book")(lambda *_: "books")
    live.load("book")(Book.objects.in_bulk)
    live.set_field("book", lambda book, _: book.title)
    for source in (plain, broken):
        live.set_source(source.__name__, source)
        live.set_field(source.__name__, lambda value, _: value)
    return make_executable_schema(
        "type Query { no: Int }  type Subscription { book: String  plain: String  broken: String }",
        live,
    )


@pytest.mark.usefixtures("no_collector")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("field", ["book", "plain", "broken"])
@pytest.mark.parametrize("around", [lambda app: app, ViewerMiddleware], ids=["bare", "viewer"])
async def test_a_connection_that_ends_is_freed_without_it(
    around: Callable[[Any], Any], field: str, schema: GraphQLSchema, subprotocol: str
) -> None:
    app = around(graphql_app(schema))
    before = held()
    for title in ("Emma", "Persuasion"):
        async with GraphQLClient(app, subprotocol=subprotocol) as client:
            subscription = await client.subscribe(f"subscription {{ {field} }}")
            if field == "book":
                await in_database(Book.objects.create)(title=title)
            await subscription.receive()
            if field == "broken":
                with pytest.raises(OperationError):
                    await subscription.receive()
    del subscription, client
    assert held() - before == Counter()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.django_db(transaction=True)
async def test_so_is_one_of_which_a_right_has_ended(
    library: Library, user: Any, token: str, subprotocol: str
) -> None:
    app, payload = library.application, {"token": token}
    before = held()
    async with GraphQLClient(app, subprotocol=subprotocol, payload=payload) as client:
        subscription = await client.subscribe(BOOKS)
        await in_database(user.user_permissions.clear)()
        with pytest.raises(OperationError):
            await subscription.receive()
    del subscription, client
    library.asked_by = None
    assert held() - before == Counter()
