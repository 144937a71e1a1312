"""A database that is away: who cannot begin or go on is sent away to come back."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from ariadne import make_executable_schema
from django.db import OperationalError

from realtime import log, sessions
from realtime.asgi import graphql_app
from realtime.authentication import ViewerMiddleware
from realtime.database import in_database
from realtime.live import LiveSubscriptionType
from realtime.testing import ConnectionClosedError, GraphQLClient
from tests.realtime.streams import answer
from tests.shelf.models import Book

pytestmark = pytest.mark.django_db(transaction=True)

TYPE_DEFS = """
type Query { none: Int }
type Subscription { book: Book! }
type Book { title: String! }
"""

BOOKS = "subscription { book { title } }"


class Library:
    """Its database is away when it is told so."""

    def __init__(self) -> None:
        self.topics_away = self.books_away = False
        live = LiveSubscriptionType()
        live.topics("book")(self._topics)
        live.load("book")(self._books)
        live.set_field("book", lambda book, *_, **__: book)
        self.app: Any = graphql_app(make_executable_schema(TYPE_DEFS, live))

    def _topics(self, *_: Any) -> str:
        if self.topics_away:
            raise OperationalError("the connection is lost")
        return "books"

    def _books(self, ids: list[str]) -> Mapping[int, Book]:
        if self.books_away:
            raise OperationalError("the connection is lost")
        return Book.objects.in_bulk(ids)


@pytest.fixture
def library() -> Library:
    return Library()


@in_database
def write(title: str) -> Book:
    return Book.objects.create(title=title)


async def test_one_that_cannot_begin_closes_the_connection(
    library: Library, subprotocol: str
) -> None:
    library.topics_away = True
    async with GraphQLClient(library.app, subprotocol=subprotocol) as client:
        with pytest.raises(ConnectionClosedError) as closed:
            await client.subscribe(BOOKS)
        assert closed.value.code == 4013


async def test_one_that_cannot_resume_does_so_when_the_database_is_back(
    library: Library, subprotocol: str
) -> None:
    async with GraphQLClient(library.app, subprotocol=subprotocol) as client:
        books = await client.subscribe(BOOKS)
        await client.cut_off()
        await write("Ariadne")
        library.books_away = True
        await client.connect()
        await books.resume()
        with pytest.raises(ConnectionClosedError) as closed:
            await books.receive()
        assert closed.value.code == 4013
        library.books_away = False
        await client.leave()
        await client.connect()
        await books.resume()
        assert await books.receive() == {"book": {"title": "Ariadne"}}


async def test_an_event_stream_breaks_off_without_its_completion(library: Library) -> None:
    library.topics_away = True
    status, body = await answer(
        library.app, "POST", body={"query": BOOKS}, accept="text/event-stream"
    )
    assert (status, "event:" in body) == (200, False)


async def test_a_multipart_client_is_asked_to_come_back(library: Library) -> None:
    library.topics_away = True
    accept = "multipart/mixed;subscriptionSpec=1.0"
    _, body = await answer(library.app, "POST", body={"query": BOOKS}, accept=accept)
    assert '"payload":null' in body


class TestOfWhoIsAsking:
    """Nobody can tell who it is: it is not told that it is nobody."""

    @pytest.fixture(autouse=True)
    def _away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise OperationalError("the connection is lost")

        monkeypatch.setattr(sessions, "find", fail)
        monkeypatch.setattr(sessions, "user_of", fail)

    @pytest.fixture
    def app(self, library: Library) -> Any:
        return ViewerMiddleware(library.app)

    async def test_a_socket_is_closed_to_come_back(self, app: Any, subprotocol: str) -> None:
        client = GraphQLClient(app, subprotocol=subprotocol, payload={"token": "a" * 32})
        with pytest.raises(ConnectionClosedError) as closed:
            await client.connect()
        assert closed.value.code == 4013

    async def test_a_handshake_is_refused(self, app: Any, subprotocol: str) -> None:
        cookie = {"cookie": "sessionid=" + "a" * 32}
        with pytest.raises(ConnectionClosedError):
            await GraphQLClient(app, subprotocol=subprotocol, headers=cookie).connect()

    @pytest.mark.parametrize(
        "credentials",
        [{"authorization": "Bearer " + "a" * 32}, {"cookie": "sessionid=" + "a" * 32}],
        ids=["bearer", "cookie"],
    )
    @pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
    async def test_a_request_is_asked_to_come_back(
        self, accept: str, credentials: dict[str, str], app: Any
    ) -> None:
        status, body = await answer(
            app, "POST", body={"query": "{ none }"}, accept=accept, **credentials
        )
        assert status == 503
        assert '"UNAVAILABLE"' in body


class TestOfTheLog:
    """It cannot be read for longer than LOG_TIMEOUT."""

    @pytest.fixture(autouse=True)
    def _in_a_hurry(self, realtime_settings: Callable[..., None]) -> None:
        realtime_settings(LOG_TIMEOUT=0.2, SWEEP_INTERVAL=0.05, ENGINE_TIMEOUT=0.1)

    @pytest.fixture
    def _fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: object) -> None:
            raise OperationalError("the connection is lost")

        monkeypatch.setattr(log, "changed", fail)

    @pytest.fixture
    def _hangs(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        is_over = threading.Event()
        monkeypatch.setattr(log, "changed", lambda _: is_over.wait(30))
        yield
        is_over.set()

    @pytest.mark.parametrize("fault", ["_fails", "_hangs"])
    async def test_subscriptions_are_closed_to_come_back(
        self,
        fault: str,
        library: Library,
        subprotocol: str,
        request: pytest.FixtureRequest,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        async with GraphQLClient(library.app, subprotocol=subprotocol) as client:
            books = [await client.subscribe(BOOKS) for _ in range(3)]
            request.getfixturevalue(fault)
            with pytest.raises(ConnectionClosedError) as closed:
                await books[0].receive()
            assert closed.value.code == 4013
        said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert said == [
            "The log cannot be followed; trying again.",
            "The log cannot be read: its subscriptions are closed.",
        ]

    @pytest.mark.usefixtures("_fails")
    async def test_an_event_stream_breaks_off(self, library: Library) -> None:
        status, body = await answer(
            library.app, "POST", body={"query": BOOKS}, accept="text/event-stream"
        )
        assert (status, "event: complete" in body) == (200, False)
