"""Live fields, over a schema of the tests' own app."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ariadne import make_executable_schema, subscribe
from django.db import transaction
from graphql import GraphQLError, GraphQLSchema

from realtime.database import in_database
from realtime.live import Kind, LiveSubscriptionType
from tests.realtime.conftest import hub_tasks
from tests.shelf.models import Book

pytestmark = pytest.mark.django_db(transaction=True)

TYPE_DEFS = """
type Query { none: Int }
type Subscription {
  book(title: String): Book!
  newBook: Book!
  ticks: Int!
}
type Book { id: ID!  title: String!  copies: Int  gone: Boolean }
"""


class Library:
    """A schema with live fields, and what they were asked."""

    def __init__(self) -> None:
        self.loads: list[list[str]] = []
        live = LiveSubscriptionType()

        @live.topics("book", initial=self.first)
        def book_topics(_: Any, info: Any, title: str | None = None) -> str:
            if title == "Forbidden":
                raise GraphQLError("Not for you")
            return "books"

        @live.load("book")
        def load(ids: list[str]) -> Mapping[int, Book]:
            self.loads.append(ids)
            return Book.objects.in_bulk(ids)

        @live.gone("book")
        def gone(events: Iterable[Any]) -> Mapping[str, Any]:
            return {
                event.object_id: {"id": event.object_id, "gone": True, **event.data}
                for event in events
            }

        @live.topics("newBook", kinds=[Kind.CREATED])
        async def new_book_topics(*_: Any) -> list[str]:
            return ["books"]

        live.load("newBook")(Book.objects.in_bulk)

        @live.source("ticks")
        async def ticks(*_: Any) -> AsyncGenerator[int, None]:
            for n in range(3):
                yield n

        for name in ("book", "newBook", "ticks"):
            live.set_field(name, lambda value, *_, **__: value)
        self.schema = make_executable_schema(TYPE_DEFS, live)

    def first(self, _: Any, info: Any, title: str | None = None) -> Book | None:
        return Book.objects.filter(title=title).first()


@pytest.fixture
def library() -> Library:
    return Library()


@asynccontextmanager
async def results(schema: GraphQLSchema, query: str) -> AsyncIterator[AsyncIterator[Any]]:
    """Subscribe as any user of Ariadne would, and yield what comes."""
    ok, stream = await subscribe(schema, {"query": query})
    assert ok, stream
    assert not isinstance(stream, list)

    async def data() -> AsyncIterator[Any]:
        async for result in stream:
            assert not result.errors, result.errors
            yield result.data

    try:
        async with asyncio.timeout(10):
            yield data()
    finally:
        await stream.aclose()


create = in_database(Book.objects.create)


def create_and_delete(title: str) -> None:
    with transaction.atomic():
        Book.objects.create(title=title).delete()


async def test_ariadne_subscribe_gives_the_events(library: Library) -> None:
    async with results(library.schema, "subscription { book { title copies } }") as books:
        book = await create(title="Ariadne")
        assert await anext(books) == {"book": {"title": "Ariadne", "copies": 1}}
        await in_database(Book.objects.update)(copies=2)
        assert await anext(books) == {"book": {"title": "Ariadne", "copies": 2}}
        await in_database(book.delete)()


async def test_an_initial_value_comes_at_once(library: Library) -> None:
    await create(title="Ariadne")
    query = 'subscription { book(title: "Ariadne") { title } }'
    async with results(library.schema, query) as books:
        assert await anext(books) == {"book": {"title": "Ariadne"}}


async def test_kinds_limit_what_is_shown(library: Library) -> None:
    async with results(library.schema, "subscription { newBook { title } }") as books:
        await create(title="Ariadne")
        await in_database(Book.objects.update)(copies=2)
        await create(title="Daedalus")
        assert [(await anext(books))["newBook"]["title"] for _ in range(2)] == [
            "Ariadne",
            "Daedalus",
        ]


async def test_what_is_deleted_is_shown_as_gone(library: Library) -> None:
    book = await create(title="Ariadne")
    async with results(library.schema, "subscription { book { id title gone } }") as books:
        pk = book.pk
        await in_database(book.delete)()
        assert await anext(books) == {"book": {"id": str(pk), "title": "Ariadne", "gone": True}}


async def test_without_gone_a_deleted_object_is_not_shown(library: Library) -> None:
    async with results(library.schema, "subscription { newBook { title } }") as books:
        await in_database(create_and_delete)("Short-lived")
        await create(title="Ariadne")
        assert await anext(books) == {"newBook": {"title": "Ariadne"}}


async def test_a_batch_is_loaded_in_one_read(library: Library) -> None:
    async with results(library.schema, "subscription { book { title } }") as books:
        many = [Book(title=str(n)) for n in range(20)]
        await in_database(Book.objects.bulk_create)(many)
        assert [(await anext(books))["book"]["title"] for _ in range(20)] == [
            str(n) for n in range(20)
        ]
    assert [len(ids) for ids in library.loads] == [20]


async def test_a_subscriber_that_is_not_authorised_is_refused(library: Library) -> None:
    query = 'subscription { book(title: "Forbidden") { title } }'
    ok, errors = await subscribe(library.schema, {"query": query})
    assert not ok
    assert isinstance(errors, list)
    assert errors[0]["message"] == "Not for you"
    assert hub_tasks() == set()


async def test_plain_sources_work_beside_live_fields(library: Library) -> None:
    async with results(library.schema, "subscription { ticks }") as ticks:
        assert [tick["ticks"] async for tick in ticks] == [0, 1, 2]


class TestDeclaring:
    def test_a_field_without_load_is_refused(self) -> None:
        live = LiveSubscriptionType()
        live.topics("book")(lambda *_: "books")
        with pytest.raises(ValueError, match=r"'book' loads nothing: use @….load"):
            make_executable_schema(TYPE_DEFS, live)

    def test_a_field_without_topics_is_refused(self) -> None:
        live = LiveSubscriptionType()
        live.load("book")(Book.objects.in_bulk)
        with pytest.raises(ValueError, match=r"'book' has no topics: use @….topics"):
            make_executable_schema(TYPE_DEFS, live)

    def test_a_field_that_the_schema_has_not_is_refused(self) -> None:
        live = LiveSubscriptionType()
        live.topics("magazine")(lambda *_: "magazines")
        live.load("magazine")(Book.objects.in_bulk)
        with pytest.raises(ValueError, match="magazine"):
            make_executable_schema(TYPE_DEFS, live)
