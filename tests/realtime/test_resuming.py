"""A subscription goes on from its cursor: nothing is lost, nothing comes twice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from ariadne import make_executable_schema

from realtime import cursor
from realtime.asgi import graphql_app
from realtime.cursor import Position
from realtime.database import in_database
from realtime.live import LiveSubscriptionType
from realtime.models import Event, Topic
from realtime.testing import GraphQLClient, OperationError, Socket, Subscription
from tests.shelf.models import Book, Shelf

pytestmark = pytest.mark.django_db(transaction=True)

TYPE_DEFS = """
type Query { none: Int }
type Subscription { book(first: String): Book!  shelves(ids: [ID!]!): Book! }
type Book { title: String!  shelf: ID }
"""

BOOKS = "subscription { book { title } }"
SHELVES = "subscription ($ids: [ID!]!) { shelves(ids: $ids) { title shelf } }"


def library() -> Any:
    """Return an application with a field of one topic, and one of several."""
    live = LiveSubscriptionType()

    def first(_: Any, info: Any, first: str | None = None) -> Any:
        return {"title": first} if first else None

    live.topics("book", initial=first)(lambda *_, **__: "books")
    live.topics("shelves")(lambda *_, ids: [f"shelf.{id}" for id in ids])
    for name in ("book", "shelves"):
        live.load(name)(_books)
        live.set_field(name, lambda value, *_, **__: value)
    return graphql_app(make_executable_schema(TYPE_DEFS, live))


def _books(ids: list[str]) -> Mapping[int, Any]:
    books = Book.objects.in_bulk(ids).values()
    return {book.pk: {"title": book.title, "shelf": book.shelf_id} for book in books}


@pytest.fixture
async def reader(subprotocol: str) -> AsyncIterator[GraphQLClient]:
    async with GraphQLClient(library(), subprotocol=subprotocol) as client:
        yield client


async def write(*titles: object, shelf: Shelf | None = None) -> None:
    books = [Book(title=str(title), shelf=shelf) for title in titles]
    await in_database(Book.objects.bulk_create)(books)


async def titles(subscription: Subscription, count: int) -> list[str]:
    return [book["title"] for _ in range(count) for book in (await subscription.receive()).values()]


async def come_back(client: GraphQLClient, subscription: Subscription) -> None:
    await client.connect()
    await subscription.resume()


class TestCursors:
    async def test_every_result_bears_one_and_so_does_the_confirmation(self) -> None:
        async with Socket(library()) as socket:
            await socket.send({"type": "connection_init"})
            await socket.receive()
            payload = {"query": BOOKS, "extensions": {"confirm": True}}
            await socket.send({"id": "1", "type": "subscribe", "payload": payload})
            confirmation = await socket.receive()
            await write("Ariadne", "Daedalus")
            results = [await socket.receive() for _ in range(2)]
        topic = await Topic.objects.aget(name="books")
        cursors = [message["payload"]["extensions"]["cursor"] for message in results]
        assert cursors == [f"{topic.epoch}-1", f"{topic.epoch}-2"]
        assert confirmation["payload"]["extensions"] == {"subscribed": True, "cursor": "-0"}

    async def test_each_is_a_place_to_begin(self, reader: GraphQLClient) -> None:
        subscription = await reader.subscribe(BOOKS)
        cursors = [subscription.cursor]
        await write(1, 2, 3)
        for _ in range(3):
            await subscription.receive()
            cursors.append(subscription.cursor)
        for received, after in enumerate(cursors):
            again = await reader.subscribe(BOOKS, after=after)
            assert await titles(again, 3 - received) == ["1", "2", "3"][received:]
            await again.stop()


class TestResuming:
    async def test_what_came_meanwhile_comes_then_what_is_new(self, reader: GraphQLClient) -> None:
        subscription = await reader.subscribe(BOOKS)
        await write(1, 2)
        assert await titles(subscription, 2) == ["1", "2"]
        await reader.cut_off()
        await write(3, 4)
        await come_back(reader, subscription)
        assert await titles(subscription, 2) == ["3", "4"]
        await write(5)
        assert await titles(subscription, 1) == ["5"]

    async def test_what_was_lost_on_its_way_comes_again(self, reader: GraphQLClient) -> None:
        subscription = await reader.subscribe(BOOKS)
        await write(1, 2, 3)
        assert await titles(subscription, 1) == ["1"]
        await reader.cut_off()
        await come_back(reader, subscription)
        assert await titles(subscription, 2) == ["2", "3"]

    async def test_more_than_one_read_of_the_log_returns(
        self, reader: GraphQLClient, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(READ_BATCH=5, BUFFER_SIZE=5)
        subscription = await reader.subscribe(BOOKS)
        await reader.cut_off()
        await write(*range(23))
        await come_back(reader, subscription)
        assert await titles(subscription, 23) == [str(n) for n in range(23)]

    async def test_several_topics_each_in_its_order(
        self, reader: GraphQLClient, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(READ_BATCH=3, BUFFER_SIZE=3)
        shelves = [await Shelf.objects.acreate(name=str(n)) for n in range(3)]
        subscription = await reader.subscribe(SHELVES, {"ids": [s.pk for s in shelves]})
        await write("early", shelf=shelves[1])
        assert await titles(subscription, 1) == ["early"]
        await reader.cut_off()
        for n in range(5):
            for shelf in shelves:
                await write(f"{shelf.pk} {n}", shelf=shelf)
        await come_back(reader, subscription)
        found = await titles(subscription, 15)
        for shelf in shelves:
            own = [title for title in found if title.startswith(f"{shelf.pk} ")]
            assert own == [f"{shelf.pk} {n}" for n in range(5)]

    async def test_while_somebody_goes_on_writing(
        self, reader: GraphQLClient, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(READ_BATCH=4, BUFFER_SIZE=4)
        subscription = await reader.subscribe(BOOKS)

        async def write_on() -> None:
            for n in range(40):
                await write(n)

        writing = asyncio.create_task(write_on())
        found: list[str] = []
        while len(found) < 40:
            found += await titles(subscription, min(7, 40 - len(found)))
            await reader.cut_off()
            await come_back(reader, subscription)
        await writing
        assert found == [str(n) for n in range(40)]

    async def test_an_initial_value_does_not_come_again(self, reader: GraphQLClient) -> None:
        subscription = await reader.subscribe('subscription { book(first: "Minos") { title } }')
        assert await titles(subscription, 1) == ["Minos"]
        await reader.cut_off()
        await write("Ariadne")
        await come_back(reader, subscription)
        assert await titles(subscription, 1) == ["Ariadne"]

    async def test_several_at_once(self, reader: GraphQLClient) -> None:
        subscriptions = [await reader.subscribe(BOOKS) for _ in range(5)]
        await reader.cut_off()
        await write(1, 2)
        await reader.connect()
        await asyncio.gather(*(subscription.resume() for subscription in subscriptions))
        found = await asyncio.gather(*(titles(subscription, 2) for subscription in subscriptions))
        assert found == [["1", "2"]] * 5


class TestTheArgument:
    """Every live field takes `after`, though its schema does not say so."""

    AFTER = "subscription ($after: String) { book(after: $after) { title } }"

    async def test_it_is_a_place_to_begin(self, reader: GraphQLClient) -> None:
        subscription = await reader.subscribe(self.AFTER)
        await write(1, 2)
        assert await titles(subscription, 1) == ["1"]
        again = await reader.subscribe(self.AFTER, {"after": subscription.cursor})
        assert await titles(again, 1) == ["2"]

    async def test_the_extension_comes_before_it(self, reader: GraphQLClient) -> None:
        subscription = await reader.subscribe(self.AFTER, {"after": "0"})
        await write(1, 2)
        assert await titles(subscription, 1) == ["1"]
        await reader.cut_off()
        await come_back(reader, subscription)
        assert await titles(subscription, 1) == ["2"]

    async def test_zero_asks_for_all_that_is_retained(self, reader: GraphQLClient) -> None:
        await write(1, 2, 3, 4, 5)
        await in_database(prune)()
        subscription = await reader.subscribe(self.AFTER, {"after": "0"})
        assert await titles(subscription, 2) == ["4", "5"]
        await write(6)
        assert await titles(subscription, 1) == ["6"]

    async def test_also_where_nothing_is(self, reader: GraphQLClient) -> None:
        subscription = await reader.subscribe(self.AFTER, {"after": "0"})
        await write(1)
        assert await titles(subscription, 1) == ["1"]


def forget() -> None:
    Event.objects.all().delete()
    Topic.objects.all().delete()


def rebuild() -> None:
    forget()
    for n in range(10, 20):
        Book.objects.create(title=str(n))


def restore() -> None:
    """Go back to an older state, as a backup that is played in does."""
    Event.objects.filter(offset__gt=1).delete()
    Topic.objects.filter(name="books").update(offset=1)


def prune() -> None:
    Event.objects.filter(topic="books", offset__lte=3).delete()


def erase() -> None:
    Event.objects.filter(topic="books").delete()


class TestRefusals:
    @pytest.mark.parametrize("happened", [forget, rebuild, restore, prune, erase])
    async def test_a_log_that_does_not_go_on_from_there(
        self, happened: Callable[[], None], reader: GraphQLClient
    ) -> None:
        subscription = await reader.subscribe(BOOKS)
        await write(1, 2)
        await titles(subscription, 2)
        await reader.cut_off()
        await write(3, 4)
        await in_database(happened)()
        await reader.connect()
        await self.refuses(subscription, "CURSOR_EXPIRED")

    async def test_a_cursor_ahead_of_the_log(self, reader: GraphQLClient) -> None:
        await write(1)
        topic = await Topic.objects.aget(name="books")
        ahead = cursor.to_text({"books": Position(topic.offset + 1, topic.epoch)})
        await self.is_refused(reader, "CURSOR_EXPIRED", BOOKS, after=ahead)

    async def test_a_cursor_of_other_topics(self, reader: GraphQLClient) -> None:
        shelf = await Shelf.objects.acreate(name="1")
        subscription = await reader.subscribe(BOOKS)
        await write(1, shelf=shelf)
        await titles(subscription, 1)
        for ids in ([shelf.pk], [shelf.pk, 0]):
            variables, after = {"ids": ids}, subscription.cursor
            await self.is_refused(reader, "CURSOR_EXPIRED", SHELVES, variables, after=after)

    @pytest.mark.parametrize("nonsense", ["", "1", "a-", "a--1", "A-1", "a-1,", "\0", "x" * 9999])
    async def test_nonsense(self, nonsense: str, reader: GraphQLClient) -> None:
        await self.is_refused(reader, "CURSOR_INVALID", BOOKS, after=nonsense)

    @pytest.mark.parametrize("nonsense", [0, 1, True, False, [], ["a-1"], {}])
    async def test_what_is_no_text(self, nonsense: Any, reader: GraphQLClient) -> None:
        await self.is_refused(reader, "CURSOR_INVALID", BOOKS, after=nonsense)

    async def test_a_source_without_cursors(self, client: GraphQLClient) -> None:
        await self.is_refused(client, "CURSOR_INVALID", "subscription { three }", after="a-1")
        assert await client.query("{ quick }") == {"quick": "done"}

    @staticmethod
    async def is_refused(client: GraphQLClient, code: str, *args: Any, **options: Any) -> None:
        with pytest.raises(OperationError) as caught:
            await client.subscribe(*args, **options)
        assert caught.value.codes == [code]

    @staticmethod
    async def refuses(subscription: Subscription, code: str) -> None:
        """Resume, which fails at the latest where the first result is asked for."""
        with pytest.raises(OperationError) as caught:
            await subscription.resume()
            await subscription.receive()
        assert caught.value.codes == [code]
        assert caught.value.data is None
