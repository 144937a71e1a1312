"""Who shares an execution with whom: never those whose results may differ."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from ariadne import ObjectType, make_executable_schema
from django.db import models

import realtime.replay
from realtime.asgi import graphql_app
from realtime.database import in_database
from realtime.live import LiveSubscriptionType, everyone
from realtime.testing import GraphQLClient, OperationError
from tests.realtime.writing import as_served
from tests.shelf.models import Book

pytestmark = pytest.mark.django_db(transaction=True)

TYPE_DEFS = """
type Query { none: Int }
type Subscription {
    asUser(of: Int): Book!
    asEveryone: Book!
    asStaff: Book!
    alone: Book!
}
type Book { title: String!  asker: String! }
"""

READ = "subscription { %s { title asker } }"


def asker(info: Any) -> Any:
    return info.context["request"].scope["user"]


def staff_or_not(_: Any, info: Any, **args: Any) -> Hashable:
    return bool(asker(info).is_staff)


def _title(book: Book, info: Any) -> str:
    if book.title == "broken":
        raise RuntimeError
    return book.title


class Library:
    """A schema that tells who was asking, and counts its executions."""

    def __init__(self, way: str) -> None:
        self.executions = 0
        self.executing: Any = None
        """Who began the execution that is under way."""
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        live = LiveSubscriptionType()
        live.topics("asUser")(lambda *_, **__: "books")
        live.topics("asEveryone", share=everyone)(lambda *_, **__: "books")
        live.topics("asStaff", share=staff_or_not)(lambda *_, **__: "books")
        live.topics("alone", share=None)(lambda *_, **__: "books")
        for name in ("asUser", "asEveryone", "asStaff", "alone"):
            live.load(name)(Book.objects.in_bulk)
            live.set_field(name, self._book)
        book = ObjectType("Book")
        book.set_field("title", _title)
        book.set_field("asker", lambda _, info: asker(info).username)
        self._app = as_served(graphql_app(make_executable_schema(TYPE_DEFS, live, book)), way)
        self._clients = AsyncExitStack()

    async def client(
        self,
        username: str | None,
        *,
        is_staff: bool = False,
        taking: asyncio.Event | None = None,
    ) -> GraphQLClient:
        """Return a client, whose socket takes frames only while it is `taking`."""
        user = SimpleNamespace(pk=username, username=username or "", is_staff=is_staff)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def send_in_time(message: Any) -> None:
                if taking is not None:
                    await taking.wait()
                await send(message)

            await self._app({**scope, "user": user}, receive, send_in_time)

        return await self._clients.enter_async_context(GraphQLClient(app))

    async def aclose(self) -> None:
        await self._clients.aclose()

    async def _book(self, book: Book, info: Any, **_: Any) -> Book:
        self.executions += 1
        self.executing = asker(info)
        self.begun.set()
        await self.may_end.wait()
        return book


@pytest.fixture
async def library(way: str) -> AsyncIterator[Library]:
    library = Library(way)
    try:
        yield library
    finally:
        await library.aclose()


@in_database
def write(title: str = "Ariadne") -> Book:
    return Book.objects.create(title=title)


async def test_users_of_different_rights_get_results_of_their_own(library: Library) -> None:
    askers = ["one", "two"]
    books = [await (await library.client(name)).subscribe(READ % "asUser") for name in askers]
    await write()
    for name, book in zip(askers, books, strict=True):
        assert (await book.receive())["asUser"]["asker"] == name


async def test_connections_of_a_user_share_by_default(library: Library) -> None:
    books = [await (await library.client("one")).subscribe(READ % "asUser") for _ in range(3)]
    await write()
    for book in books:
        assert await book.receive() == {"asUser": {"title": "Ariadne", "asker": "one"}}
    assert library.executions == 1


async def test_anonymous_callers_share_nothing_by_default(library: Library) -> None:
    books = [await (await library.client(None)).subscribe(READ % "asUser") for _ in range(2)]
    await write()
    for book in books:
        await book.receive()
    assert library.executions == 2


async def test_everyone_shares_one_execution(library: Library) -> None:
    names = [None, "one", "two"] * 5
    books = [await (await library.client(name)).subscribe(READ % "asEveryone") for name in names]
    await write()
    for book in books:
        assert (await book.receive())["asEveryone"]["title"] == "Ariadne"
    assert library.executions == 1


async def test_each_scope_has_an_execution(library: Library) -> None:
    clients = [await library.client(f"{n}", is_staff=n % 2 == 0) for n in range(6)]
    books = [await client.subscribe(READ % "asStaff") for client in clients]
    await write()
    found = [(await book.receive())["asStaff"]["asker"] for book in books]
    assert [int(name) % 2 for name in found] == [0, 1, 0, 1, 0, 1]
    assert library.executions == 2


async def test_what_is_not_shared_is_executed_for_each(library: Library) -> None:
    books = [await (await library.client("one")).subscribe(READ % "alone") for _ in range(2)]
    await write()
    for book in books:
        await book.receive()
    assert library.executions == 2


async def test_the_scope_is_that_of_the_moment(library: Library) -> None:
    user = SimpleNamespace(pk="one", username="one")
    client, other = await library.client("two"), await library.client("one")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await library._app({**scope, "user": user}, receive, send)

    async with GraphQLClient(app) as changing:
        book = await changing.subscribe(READ % "asUser")
        theirs = await other.subscribe(READ % "asUser")
        user.pk = user.username = "two"
        new = await client.subscribe(READ % "asUser")
        await write()
        assert (await theirs.receive())["asUser"]["asker"] == "one"
        assert (await book.receive())["asUser"]["asker"] == "two"
        assert (await new.receive())["asUser"]["asker"] == "two"
    assert library.executions == 2


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("subscription { asUser(of: 1) { title } }", None),
        ("subscription ($of: Int) { asUser(of: $of) { title } }", {"of": 1}),
        ("subscription A { asUser { title } }", None),
    ],
)
async def test_other_operations_are_not_shared(
    library: Library, query: str, variables: dict[str, Any] | None
) -> None:
    client = await library.client("one")
    book = await client.subscribe("subscription ($of: Int) { asUser(of: $of) { title } }")
    other = await client.subscribe(query, variables)
    await write()
    await book.receive()
    await other.receive()
    assert library.executions == 2


async def test_where_they_began_is_no_difference(library: Library) -> None:
    query = "subscription ($after: String) { asUser(after: $after) { title } }"
    client = await library.client("one")
    fresh = await client.subscribe(query)
    await write()
    await fresh.receive()
    resumed = await client.subscribe(query, {"after": fresh.cursor})
    await write("Daedalus")
    for book in (fresh, resumed):
        assert await book.receive() == {"asUser": {"title": "Daedalus"}}
    assert fresh.cursor == resumed.cursor
    assert library.executions == 2


async def test_a_crowd_that_comes_back_shares_what_it_missed(library: Library) -> None:
    stays = await (await library.client("one")).subscribe(READ % "asUser")
    clients = [await library.client("one") for _ in range(6)]
    books = [await client.subscribe(READ % "asUser") for client in clients]
    for client in clients[:3]:
        await client.cut_off()
    await write("0")
    for book in (stays, *books[3:]):
        await book.receive()
    for client in clients[3:]:
        await client.cut_off()
    for title in "123":
        await write(title)
        await stays.receive()
    for client, book in zip(clients, books, strict=True):
        await client.connect()
        await book.resume()
    for number, book in enumerate(books):
        titles = "0123" if number < 3 else "123"
        assert [(await book.receive())["asUser"]["title"] for _ in titles] == [*titles]
    assert library.executions == 4


async def test_who_comes_back_later_gets_the_value_of_then(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime.replay, "KEEP", 0)
    stays, leaves = [await library.client("one") for _ in range(2)]
    book, missed = [await client.subscribe(READ % "asUser") for client in (stays, leaves)]
    await leaves.cut_off()
    await write("Before")
    await book.receive()
    # As raw SQL would: without an event.
    await in_database(models.QuerySet.update)(Book.objects.all(), title="After")
    await leaves.connect()
    await missed.resume()
    assert (await missed.receive())["asUser"]["title"] == "After"


async def test_who_leaves_while_it_executes_leaves_the_others_their_result(
    library: Library,
) -> None:
    library.may_end.clear()
    clients = [await library.client("one") for _ in range(3)]
    _, *others = [await client.subscribe(READ % "asUser") for client in clients]
    await write()
    await library.begun.wait()
    await clients[0].leave()
    library.may_end.set()
    for book in others:
        assert (await book.receive())["asUser"]["title"] == "Ariadne"


async def test_who_does_not_read_holds_up_nobody_and_misses_nothing(library: Library) -> None:
    taking = asyncio.Event()
    taking.set()
    slow = await (await library.client("one", taking=taking)).subscribe(READ % "asUser")
    quick = [await (await library.client("one")).subscribe(READ % "asUser") for _ in range(3)]
    titles = [f"{n}" for n in range(20)]
    taking.clear()
    for title in titles:
        await write(title)
        for book in quick:
            assert (await book.receive())["asUser"]["title"] == title
    taking.set()
    assert [(await slow.receive())["asUser"]["title"] for _ in titles] == titles
    assert library.executions == len(titles)


async def test_a_fault_is_reported_once(library: Library, caplog: pytest.LogCaptureFixture) -> None:
    clients = [await library.client(None) for _ in range(3)]
    books = [await client.subscribe(READ % "asEveryone") for client in clients]
    await write("broken")
    ids = set()
    for book in books:
        with pytest.raises(OperationError) as raised:
            await book.receive()
        ids.add(raised.value.errors[0]["extensions"]["id"])
    assert len(ids) == len(caplog.records) == 1
