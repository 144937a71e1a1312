"""What is shared and sent, while something fails or changes."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from ariadne import make_executable_schema
from ariadne.asgi import GraphQL
from graphql import parse

from realtime import replay
from realtime.cursor import Position
from realtime.delivery import Delivery, Shared
from realtime.hub import Hub
from realtime.live import LiveSubscriptionType, everyone
from realtime.models import Event, Topic
from realtime.replay import Replays
from realtime.testing import GraphQLClient
from realtime.transports.http import HTTPHandler
from realtime.transports.websocket import WebSocketHandler
from tests.realtime.conftest import Titles
from tests.realtime.test_sharing import READ, Library, library, write  # noqa: F401
from tests.shelf.models import Book

pytestmark = pytest.mark.django_db(transaction=True)


async def client_with(library: Library, name: str, sending: Any) -> GraphQLClient:  # noqa: F811
    user = SimpleNamespace(pk=name, username=name, is_staff=False)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def send_so(message: Any) -> None:
            await sending(send, message)

        await library._app({**scope, "user": user}, receive, send_so)

    return await library._clients.enter_async_context(GraphQLClient(app))


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_a_socket_that_fails_is_its_own_affair(library: Library, error: Any) -> None:  # noqa: F811
    fails = False

    async def sending(send: Any, message: Any) -> None:
        if fails and '"ping"' not in message.get("text", ""):
            raise error
        await send(message)

    everybody = [await (await library.client("one")).subscribe(READ % "asUser")]
    for _ in range(3):
        broken = await client_with(library, "one", sending)
        await broken.subscribe(READ % "asUser")
        everybody.append(await (await library.client("one")).subscribe(READ % "asUser"))
    await write("0")
    for book in everybody:
        assert (await book.receive())["asUser"]["title"] == "0"
    fails = True
    got: list[list[str]] = []
    try:
        for title in "123":
            await write(title)
        for book in everybody:
            got.append([])
            for _ in "123":
                try:
                    got[-1].append((await book.receive())["asUser"]["title"])
                except TimeoutError:
                    break
        assert got == [["1", "2", "3"]] * 4
    finally:
        fails = False


async def test_results_that_are_kept_are_bounded(
    library: Library,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay, "MAX_WEIGHT", 10_000)
    clients = [await library.client(f"{n:0100}") for n in range(50)]
    books = [await client.subscribe(READ % "asUser") for client in clients]
    for n in range(20):
        await write(f"{n}")
        for book in books:
            await book.receive()
    kept = [each.entry.delivery for each in Hub.current()._replays._kept.values()]
    held = sum(each.results_weight for each in kept if each)
    assert held < 50_000, held


async def test_documents_that_a_parser_tells_apart_are_not_shared() -> None:
    """As persisted documents are: by `extensions`, or by who is asking."""
    live = LiveSubscriptionType()
    live.topics("book", share=everyone)(lambda *_, **__: "books")
    live.load("book")(Book.objects.in_bulk)
    live.set_field("book", lambda book, *_, **__: book)
    schema = make_executable_schema(
        "type Query { none: Int } type Subscription { book: Book! }"
        " type Book { title: String!  copies: Int }",
        live,
    )
    documents = {
        "public": parse("subscription { book { title } }"),
        "staff": parse("subscription { book { title copies } }"),
    }

    app = GraphQL(
        schema,
        query_parser=lambda context, _: documents[context["request"].scope["user"]],  # type: ignore[index]
        http_handler=HTTPHandler(),
        websocket_handler=WebSocketHandler(),
    )

    def as_(user: str) -> Any:
        return lambda scope, receive, send: app({**scope, "user": user}, receive, send)

    async with GraphQLClient(as_("staff")) as one, GraphQLClient(as_("public")) as two:
        staff, public = [await each.subscribe("persisted") for each in (one, two)]
        await write()
        await staff.receive()
        assert await public.receive() == {"book": {"title": "Ariadne"}}


async def test_what_fails_for_one_fails_for_all_at_once() -> None:
    shared, made = Shared(1), 0

    async def make() -> str:
        nonlocal made
        made += 1
        await asyncio.sleep(0)
        raise ValueError

    await asyncio.gather(*[shared.result("key", make) for _ in range(200)], return_exceptions=True)
    assert made == 1


@pytest.mark.parametrize("executes", [True, False], ids=["executes", "waits for who does"])
async def test_who_becomes_another_shares_nothing(library: Library, *, executes: bool) -> None:  # noqa: F811
    """`login` on a WebSocket changes its scope's user."""
    library.may_end.clear()
    users = [SimpleNamespace(pk="one", username="one") for _ in range(2)]

    def app_of(user: Any) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await library._app({**scope, "user": user}, receive, send)

        return app

    async with GraphQLClient(app_of(users[0])) as one, GraphQLClient(app_of(users[1])) as other:
        books = [await client.subscribe(READ % "asUser") for client in (one, other)]
        await write()
        await library.begun.wait()
        for _ in range(10):
            await asyncio.sleep(0)  # the other one has its turn, and waits
        changing = next(user for user in users if (user is library.executing) == executes)
        changing.pk = changing.username = "two"
        library.may_end.set()
        for user, book in zip(users, books, strict=True):
            assert (await book.receive())["asUser"]["asker"] == user.username


def test_kept_entries_of_two_logs_are_not_mixed(feed: Titles) -> None:
    def events(epoch: str, *offsets: int) -> list[Event]:
        topic = Topic(name="a", offset=9, epoch=epoch)
        return [
            Event(topic=topic, offset=n, kind="created", object_id=f"{epoch}{n}") for n in offsets
        ]

    async def nothing() -> None:
        pass

    replays = Replays(before_handing_out=nothing, before_reading=nothing)
    for news in (events("old", 1, 2, 3), events("new", 1, 2)):
        replays.keep(feed, news, [Delivery(event, event.object_id) for event in news])
    found = replays._following(feed, {"a": Position(0, "new")})["a"]
    assert [each.delivery.value for each in found if each.delivery] == ["new1", "new2"]
