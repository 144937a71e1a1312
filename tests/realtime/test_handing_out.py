"""Events to many at once, where the server's frames are written without awaiting."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from ariadne import make_executable_schema

from realtime import log
from realtime.asgi import graphql_app
from realtime.cursor import Position
from realtime.database import in_database
from realtime.delivery import Delivery, Place, Shared
from realtime.extensions import Writer
from realtime.live import LiveSubscriptionType, everyone
from realtime.live_results import LiveResults
from realtime.subscription import Subscription as HubSubscription
from realtime.subscription import hand_out
from realtime.testing import GraphQLClient, Subscription
from tests.realtime.conftest import Titles, change, received, subscribed
from tests.realtime.writing import as_served
from tests.shelf.models import Book, Shelf

pytestmark = pytest.mark.django_db(transaction=True)

TYPE_DEFS = """
type Query { hello: String }
type Subscription { book: String!  shelves(ids: [ID!]!): String!  others: String! }
"""

BOOK = "subscription { book }"


def is_own(book: Book, info: Any) -> bool:
    """Tell whether a book is called as who asks is."""
    name: str = info.context["request"].scope["user"]
    return book.title == name


@pytest.fixture
def application() -> Any:
    live = LiveSubscriptionType()
    live.topics("book", share=everyone)(lambda *_: "books")
    live.topics("shelves", share=everyone)(lambda *_, ids: [f"shelf.{id}" for id in ids])
    live.topics("others", share=everyone, skip=is_own)(lambda *_: "books")
    for field in ("book", "shelves", "others"):
        live.load(field)(Book.objects.in_bulk)
        live.set_field(field, lambda book, *_, **__: book.title)
    return as_served(graphql_app(make_executable_schema(TYPE_DEFS, live)), "written")


Sending = Callable[[Any, Any], Awaitable[None]]
Connect = Callable[..., Awaitable[GraphQLClient]]


@pytest.fixture
async def connect(application: Any) -> AsyncIterator[Connect]:
    """Connect a client of a name, whose frames are sent so."""
    async with AsyncExitStack() as stack:

        async def run(sending: Sending | None = None, *, name: str = "") -> GraphQLClient:
            async def app(scope: Any, receive: Any, send: Any) -> None:
                async def send_so(message: Any) -> None:
                    await (send(message) if sending is None else sending(send, message))

                await application({**scope, "user": name}, receive, send_so)

            return await stack.enter_async_context(GraphQLClient(app))

        yield run


@in_database
def write(*titles: str, shelf: int | None = None) -> None:
    for title in titles:
        Book.objects.create(title=title, shelf_id=shelf)


async def titles(subscription: Subscription, count: int) -> list[str]:
    return [title for _ in range(count) for title in (await subscription.receive()).values()]


async def tell(books: Sequence[Subscription], *written: str) -> None:
    """Write, and let each hear of it, before the next: so all wait when it is handed out."""
    for title in written:
        await write(title)
        assert [await titles(book, 1) for book in books] == [[title]] * len(books)


async def test_all_get_each_event_once_in_order(connect: Connect) -> None:
    books = [await (await connect()).subscribe(BOOK) for _ in range(5)]
    await tell(books, *"abcdef")
    await write(*"ghij")
    for book in books:
        assert await titles(book, 4) == [*"ghij"]


async def test_nobody_is_asked_to_take_what_others_have_made(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = [await (await connect()).subscribe(BOOK) for _ in range(10)]
    await tell(books, *"abc")
    asked: list[LiveResults] = []
    take = LiveResults.take

    def counted(self: LiveResults, shared: Shared) -> bool:
        asked.append(self)
        return take(self, shared)

    monkeypatch.setattr(LiveResults, "take", counted)
    await tell(books, *"defg")
    assert len(asked) == 4, "each was made by one"


async def test_each_goes_on_from_where_it_was(connect: Connect) -> None:
    clients = [await connect() for _ in range(5)]
    books = [await client.subscribe(BOOK) for client in clients]
    await tell(books, *"abc")
    for client in clients:
        await client.cut_off()
    await write("d")
    for client, book in zip(clients, books, strict=True):
        await client.connect()
        await book.resume()
        assert await titles(book, 1) == ["d"]


async def test_who_comes_and_who_leaves_are_no_concern_of_others(connect: Connect) -> None:
    books = [await (await connect()).subscribe(BOOK) for _ in range(5)]
    await tell(books, *"abc")
    await books.pop().stop()
    await tell(books, *"de")
    books.append(await (await connect()).subscribe(BOOK))
    await tell(books, *"fgh")


async def test_who_cannot_take_more_reads_on_from_there(
    connect: Connect, realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(BUFFER_SIZE=2)
    taking = asyncio.Event()
    taking.set()

    async def sending(send: Any, message: Any) -> None:
        await taking.wait()
        await send(message)

    books = [await (await connect(each)).subscribe(BOOK) for each in (None, sending, None)]
    await tell(books, *"abc")
    taking.clear()
    for title in "defghi":
        await write(title)
    for book in books[::2]:
        assert await titles(book, 6) == [*"defghi"]
    taking.set()
    assert await titles(books[1], 6) == [*"defghi"]
    await write("j")
    assert await titles(books[1], 1) == ["j"]


async def test_a_writer_that_fails_is_its_own_affair(connect: Connect) -> None:
    fails = False

    async def sending(send: Any, message: Any) -> None:
        if fails and '"ping"' not in message.get("text", ""):
            raise RuntimeError("closed")
        await send(message)

    books = [await (await connect()).subscribe(BOOK)]
    for _ in range(3):
        await (await connect(sending)).subscribe(BOOK)
        books.append(await (await connect()).subscribe(BOOK))
    await tell(books, *"abc")
    fails = True
    try:
        await tell(books, *"def")
    finally:
        fails = False


async def test_nothing_is_written_to_whose_operation_is_being_cancelled(connect: Connect) -> None:
    """In the same turn: its task has not run yet."""
    cancelled: list[str] = []
    written: list[str] = []
    now = False

    def named(id: str) -> Sending:
        async def sending(send: Any, message: Any) -> None:
            if now and '"next"' in message["text"]:
                written.append(id)
                for task in asyncio.all_tasks():
                    name = task.get_name()
                    if name.startswith("operation ") and name != f"operation {id}":
                        cancelled.append(name.removeprefix("operation "))
                        task.cancel()
            await send(message)

        return sending

    books = []
    for n in range(1, 4):
        client = await connect(named(str(n)))
        for _ in range(n - 1):  # so that the ids differ
            await (await client.subscribe(BOOK)).stop()
        books.append(await client.subscribe(BOOK))
    await tell(books, *"abc")
    now = True
    await write("d")
    while not written:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    now = False
    assert len(written) == 1, written
    assert {*cancelled} == {"1", "2", "3"} - {*written}


async def test_several_topics_have_cursors_of_their_own(connect: Connect) -> None:
    ids = await in_database(lambda: [Shelf.objects.create(name=name).pk for name in "xy"])()
    query = "subscription ($ids: [ID!]!) { shelves(ids: $ids) }"
    clients = [await connect() for _ in range(2)]
    books = [await client.subscribe(query, {"ids": ids}) for client in clients]
    for title, shelf in zip("abcd", [*ids, *ids], strict=True):
        await write(title, shelf=shelf)
    for client, book in zip(clients, books, strict=True):
        assert sorted(await titles(book, 4)) == [*"abcd"]
        await client.cut_off()
    for shelf in ids:
        await write(f"again {shelf}", shelf=shelf)
    for client, book in zip(clients, books, strict=True):
        await client.connect()
        await book.resume()
        assert sorted(await titles(book, 2)) == [f"again {shelf}" for shelf in ids]


async def test_what_one_skips_others_get(connect: Connect) -> None:
    others = [
        await (await connect(name=name)).subscribe("subscription { others }") for name in "bbcc"
    ]
    for title in "abcde":
        await write(title)
        await asyncio.sleep(0.01)  # some wait when it is handed out
    got = [await titles(each, 4) for each in others]
    assert got == [[*"acde"], [*"acde"], [*"abde"], [*"abde"]]


class _Paper:
    """Where a text is written."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def around(self, before: str, after: str) -> Writer:
        return self

    def write(self, text: str) -> bool:
        self.texts.append(text)
        return True


@asynccontextmanager
async def waiting(
    feed: Titles, count: int
) -> AsyncIterator[tuple[list[HubSubscription], Delivery, _Paper]]:
    """Yield readers who wait after two events, the second of them with a result, and paper."""
    paper, key = _Paper(), object()

    async def make() -> str:
        return "b"

    async with AsyncExitStack() as stack:
        subscriptions = [
            await stack.enter_async_context(subscribed(feed, "books")) for _ in range(count)
        ]
        await in_database(log.append)([change("books", n) for n in "ab"], using="default")
        for each in subscriptions:
            assert await received(each, 2) == [*"ab"]
        reading = [asyncio.create_task(anext(each)) for each in subscriptions]
        await asyncio.sleep(0)
        [event] = await in_database(log.read)({"books": 1}, limit=1)
        delivery = Delivery(event, "b")
        await delivery.result(key, make)
        for each in subscriptions:
            each.writer, each.key = paper, key
        yield subscriptions, delivery, paper
        for task in reading:
            task.cancel()
        await asyncio.wait(reading)


async def test_what_was_read_from_the_log_already_is_not_written_again(feed: Titles) -> None:
    async with waiting(feed, 1) as (subscriptions, delivery, paper):
        assert [*hand_out([delivery], subscriptions)] == subscriptions
        assert not paper.texts


async def test_what_was_made_before_rights_have_changed_is_not_written_after(
    feed: Titles, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with waiting(feed, 2) as (subscriptions, delivery, paper):
        subscriptions[0].writer = None
        subscriptions[1]._taken = Place("books", Position(1, ""))
        handing_out = hand_out([delivery], subscriptions)
        assert next(handing_out) is subscriptions[0]
        monkeypatch.setattr(Shared, "era", Shared.era + 1)  # as others have their turn
        assert [*handing_out] == subscriptions[1:]
        assert not paper.texts
