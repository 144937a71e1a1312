"""What of its events a live field delivers: the newest of an object, and not to everybody."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ariadne import make_executable_schema
from django.db import transaction

from realtime.asgi import graphql_app
from realtime.database import in_database
from realtime.live import LiveSubscriptionType
from realtime.testing import GraphQLClient
from tests.shelf.models import Book, Shelf

pytestmark = pytest.mark.django_db(transaction=True)

TYPE_DEFS = """
type Query { none: Int }
type Subscription { newest: Book!  others(mine: String): Book!  onShelf(id: ID!): Book! }
type Book { title: String!  copies: Int! }
"""


def is_mine(book: Book, info: Any, mine: str | None) -> bool:
    return book.title == mine


@pytest.fixture
async def reader() -> AsyncIterator[GraphQLClient]:
    live = LiveSubscriptionType()
    live.topics("newest", coalesce=True)(lambda *_, **__: "books")
    live.topics("others", skip=is_mine)(lambda *_, **__: "books")
    live.topics("onShelf", hide_moved=True)(lambda *_, **given: f"shelf.{given['id']}")
    for name in ("newest", "others", "onShelf"):
        live.load(name)(Book.objects.in_bulk)
        live.set_field(name, lambda book, *_, **__: book)
    async with GraphQLClient(graphql_app(make_executable_schema(TYPE_DEFS, live))) as client:
        yield client


@in_database
@transaction.atomic
def restock(*copies: int) -> None:
    """Change every book several times, in one transaction."""
    for count in copies:
        Book.objects.update(copies=count)


async def test_of_several_events_of_an_object_the_newest_is_delivered(
    reader: GraphQLClient,
) -> None:
    for title in ("Ariadne", "Daedalus"):
        await in_database(Book.objects.create)(title=title)
    newest = await reader.subscribe("subscription { newest { title copies } }")
    await restock(1, 2, 3)
    await restock(4)
    found: list[int] = []
    while not found or found[-2:] != [4, 4]:
        found.append((await newest.receive())["newest"]["copies"])
    assert len(found) <= 4


async def test_also_on_resuming(reader: GraphQLClient) -> None:
    await in_database(Book.objects.create)(title="Ariadne")
    newest = await reader.subscribe("subscription { newest { copies } }")
    await reader.cut_off()
    await restock(1, 2, 3)
    await reader.connect()
    await newest.resume()
    assert await newest.receive() == {"newest": {"copies": 3}}
    await newest.expect_nothing()


async def test_what_one_subscriber_skips_others_get(reader: GraphQLClient) -> None:
    query = "subscription ($mine: String) { others(mine: $mine) { title } }"
    author = await reader.subscribe(query, {"mine": "Echo"})
    other = await reader.subscribe(query, {"mine": None})
    for title in ("Echo", "Ariadne"):
        await in_database(Book.objects.create)(title=title)
    assert await author.receive() == {"others": {"title": "Ariadne"}}
    assert [await other.receive() for _ in range(2)] == [
        {"others": {"title": "Echo"}},
        {"others": {"title": "Ariadne"}},
    ]


async def test_who_skips_goes_on_from_its_cursor(reader: GraphQLClient) -> None:
    query = "subscription ($mine: String) { others(mine: $mine) { title } }"
    author = await reader.subscribe(query, {"mine": "Echo"})
    for title in ("Ariadne", "Echo"):
        await in_database(Book.objects.create)(title=title)
    await author.receive()
    await reader.cut_off()
    await in_database(Book.objects.create)(title="Daedalus")
    await reader.connect()
    await author.resume()
    assert await author.receive() == {"others": {"title": "Daedalus"}}


async def test_what_has_moved_is_not_shown_where_it_was(reader: GraphQLClient) -> None:
    left, right = [await in_database(Shelf.objects.create)(name=name) for name in "lr"]
    moving = await in_database(Book.objects.create)(title="Ariadne", shelf=left)
    query = "subscription ($id: ID!) { onShelf(id: $id) { title } }"
    was, now = [await reader.subscribe(query, {"id": shelf.pk}) for shelf in (left, right)]
    moving.shelf = right
    await in_database(moving.save)()
    await in_database(Book.objects.create)(title="Echo", shelf=left)
    assert await now.receive() == {"onShelf": {"title": "Ariadne"}}
    assert await was.receive() == {"onShelf": {"title": "Echo"}}
