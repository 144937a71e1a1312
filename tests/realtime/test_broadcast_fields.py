"""Fields of broadcasts: what each subscriber gets, and who shares it with whom."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from ariadne import ObjectType, make_executable_schema, subscribe

from realtime.asgi import graphql_app
from realtime.broadcasts import broadcast
from realtime.database import in_database
from realtime.live import SKIP, LiveSubscriptionType, everyone
from realtime.testing import GraphQLClient, OperationError
from tests.realtime.conftest import hub_tasks
from tests.shelf.models import Book, Shelf

pytestmark = pytest.mark.django_db(transaction=True)

TYPE_DEFS = """
type Query { none: Int }
type Subscription {
    word: Word!
    open: Word!
    rooms: Word!
    staff: Word!
    chosen: Word!
    openly: Word!
    patiently: Word!
    byStaff: Word!
    book: Book
}
type Word { text: String!  asker: String! }
type Book { title: String!  shelf: Shelf }
type Shelf { name: String! }
"""

READ = "subscription { %s { text asker } }"


def asker(info: Any) -> Any:
    return info.context["request"].scope["user"]


def staff_or_not(_: Any, info: Any, **args: Any) -> Hashable:
    return bool(asker(info).is_staff)


def choose(event: Any, info: Any) -> Any:
    """Send no echo, and to staff what it alone may see."""
    if event.get("by") == asker(info).username:
        return SKIP
    if event["text"] == "broken":
        raise KeyError("a bug")
    if "secret" in event and asker(info).is_staff:
        return {"text": event["secret"]}
    return event


def blab(event: Any, info: Any) -> Any:
    """Change in place what was to be returned changed."""
    if asker(info).is_staff:
        event["text"] = "for staff"
    return event


class Square:
    """A schema of broadcasts that counts its executions."""

    def __init__(self) -> None:
        self.executions = 0
        live = LiveSubscriptionType()
        live.broadcasts("word")(lambda *_: "square")
        live.broadcasts("rooms", share=everyone)(
            lambda _, info: ["square", f"room.{asker(info).username}"]
        )
        for name, share in (
            ("open", everyone),
            ("staff", staff_or_not),
            ("openly", everyone),
            ("patiently", everyone),
            ("byStaff", staff_or_not),
        ):
            live.broadcasts(name, share=share)(lambda *_, **__: "square")
        live.broadcasts("chosen")(lambda *_: "square")
        live.publish("chosen")(choose)
        live.publish("openly")(choose)
        live.publish("byStaff")(blab)

        @live.publish("patiently")
        async def patiently(event: Any, info: Any) -> Any:
            await asyncio.sleep(0)
            return choose(event, info)

        live.broadcasts("book", load=[Book.objects.select_related("shelf")])(lambda *_: "books")
        for field in ("word", "open", "rooms", "staff", "chosen", "openly", "patiently", "byStaff"):
            live.set_field(field, self._word)
        live.set_field("book", lambda book, _: book)
        word = ObjectType("Word")
        word.set_field("asker", lambda _, info: asker(info).username)
        self.schema = make_executable_schema(TYPE_DEFS, live, word)
        self._app = graphql_app(self.schema)
        self._clients = AsyncExitStack()

    async def client(self, username: str | None, *, is_staff: bool = False) -> GraphQLClient:
        user = SimpleNamespace(pk=username, username=username or "", is_staff=is_staff)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await self._app({**scope, "user": user}, receive, send)

        return await self._clients.enter_async_context(GraphQLClient(app))

    async def aclose(self) -> None:
        await self._clients.aclose()

    def _word(self, event: Any, info: Any, **_: Any) -> Any:
        self.executions += 1
        return event if isinstance(event, dict) else {"text": event}


@pytest.fixture
async def square() -> AsyncIterator[Square]:
    square = Square()
    try:
        yield square
    finally:
        await square.aclose()


async def texts(subscription: Any, count: int) -> list[str]:
    found = []
    for _ in range(count):
        (word,) = (await subscription.receive()).values()
        found.append(word["text"])
    return found


class TestSharing:
    async def test_everyone_shares_one_execution(self, square: Square) -> None:
        words = [await (await square.client(f"{n}")).subscribe(READ % "open") for n in range(20)]
        broadcast("square", "Hello")
        for word in words:
            assert await texts(word, 1) == ["Hello"]
        assert square.executions == 1

    async def test_users_do_not_by_default(self, square: Square) -> None:
        words = [await (await square.client(name)).subscribe(READ % "word") for name in "abab"]
        broadcast("square", "Hello")
        for name, word in zip("abab", words, strict=True):
            assert (await word.receive())["word"]["asker"] == name
        assert square.executions == 2

    async def test_nor_do_anonymous_callers(self, square: Square) -> None:
        words = [await (await square.client(None)).subscribe(READ % "word") for _ in range(2)]
        broadcast("square", "Hello")
        for word in words:
            await word.receive()
        assert square.executions == 2

    async def test_each_scope_has_an_execution(self, square: Square) -> None:
        clients = [await square.client(f"{n}", is_staff=n % 2 == 0) for n in range(6)]
        words = [await client.subscribe(READ % "staff") for client in clients]
        broadcast("square", "Hello")
        found = [(await word.receive())["staff"]["asker"] for word in words]
        assert [int(name) % 2 for name in found] == [0, 1, 0, 1, 0, 1]
        assert square.executions == 2

    async def test_who_is_in_other_rooms_too_shares(self, square: Square) -> None:
        words = [await (await square.client(f"{n}")).subscribe(READ % "rooms") for n in range(5)]
        broadcast("square", "Hello")
        for word in words:
            assert await texts(word, 1) == ["Hello"]
        assert square.executions == 1


async def test_several_topics_are_one_subscription(square: Square) -> None:
    words = await (await square.client("one")).subscribe(READ % "rooms")
    for room in ("square", "room.two", "room.one"):
        broadcast(room, room)
    assert {*await texts(words, 2)} == {"square", "room.one"}


@pytest.mark.parametrize("field", ["chosen", "openly", "patiently"])
class TestPublish:
    async def test_what_one_subscriber_skips_others_get(self, square: Square, field: str) -> None:
        author, other, third = [
            await (await square.client(name)).subscribe(READ % field)
            for name in ("author", "other", "third")
        ]
        broadcast("square", {"text": "mine", "by": "author"})
        broadcast("square", {"text": "theirs", "by": "other"})
        assert await texts(author, 1) == ["theirs"]
        assert await texts(other, 1) == ["mine"]
        assert await texts(third, 2) == ["mine", "theirs"]

    async def test_a_changed_value_reaches_nobody_else(self, square: Square, field: str) -> None:
        clients = [await square.client(f"{n}", is_staff=n % 2 == 0) for n in range(6)]
        words = [await client.subscribe(READ % field) for client in clients]
        broadcast("square", {"text": "for all", "secret": "for staff"})
        found = [(await texts(word, 1))[0] for word in words]
        assert found == ["for staff", "for all"] * 3

    async def test_the_order_stays(self, square: Square, field: str) -> None:
        words = await (await square.client("one", is_staff=True)).subscribe(READ % field)
        for n in range(50):
            broadcast("square", {"text": f"{n}"} | ({"secret": f"{n}"} if n % 2 else {}))
        assert await texts(words, 50) == [f"{n}" for n in range(50)]

    async def test_a_fault_ends_the_subscription(
        self, square: Square, field: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = await square.client("one")
        words = await client.subscribe(READ % field)
        broadcast("square", {"text": "broken"})
        with pytest.raises(OperationError) as caught:
            await words.receive()
        assert caught.value.errors[0]["extensions"]["id"] in caplog.text


async def test_those_who_get_it_unchanged_share_it(square: Square) -> None:
    names = [f"{n}" for n in range(10)]
    words = [await (await square.client(name)).subscribe(READ % "openly") for name in names]
    broadcast("square", {"text": "Hello", "by": "0"})
    for word in words[1:]:
        assert await texts(word, 1) == ["Hello"]
    assert square.executions == 1


async def test_a_change_in_place_reaches_nobody_of_other_rights(square: Square) -> None:
    clients = [await square.client(f"{n}", is_staff=n % 2 == 0) for n in range(4)]
    words = [await client.subscribe(READ % "byStaff") for client in clients]
    plain = await (await square.client("plain")).subscribe(READ % "open")
    broadcast("square", {"text": "for all"})
    found = [(await texts(word, 1))[0] for word in words]
    assert found == ["for staff", "for all"] * 2
    assert await texts(plain, 1) == ["for all"]


async def test_instances_arrive_as_instances(square: Square, queries: list[str]) -> None:
    shelf = await in_database(Shelf.objects.create)(name="Crete")
    book = await in_database(Book.objects.create)(title="Ariadne", shelf=shelf)
    query = "subscription { book { title shelf { name } } }"
    books = [await (await square.client(f"{n}")).subscribe(query) for n in range(3)]
    queries.clear()
    broadcast("books", book)
    for each in books:
        arrived = {"title": "Ariadne", "shelf": {"name": "Crete"}}
        assert await each.receive() == {"book": arrived}
    assert len([sql for sql in queries if "FROM" in sql]) == 1


async def test_ariadne_alone_gives_the_same(square: Square) -> None:
    request = SimpleNamespace(scope={"user": SimpleNamespace(pk=1, username="a", is_staff=False)})
    query, context = "subscription { chosen { text } }", {"request": request}
    success, results = await subscribe(square.schema, {"query": query}, context_value=context)
    assert success
    broadcast("square", {"text": "mine", "by": "a"})
    broadcast("square", {"text": "theirs", "by": "b"})
    async with asyncio.timeout(5):
        assert (await anext(results)).data == {"chosen": {"text": "theirs"}}  # type: ignore[arg-type]
    await results.aclose()  # type: ignore[union-attr]
    assert hub_tasks() == set()


def test_a_publish_without_broadcasts_is_refused() -> None:
    live = LiveSubscriptionType()
    live.publish("word")(choose)
    with pytest.raises(ValueError, match="has no broadcasts"):
        make_executable_schema(TYPE_DEFS, live)
