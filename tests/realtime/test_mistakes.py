"""Mistakes of an application: what it is told of them, by name and with what to do."""

import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from ariadne import ObjectType, QueryType, make_executable_schema
from asgiref.sync import sync_to_async
from channels.testing import HttpCommunicator
from graphql import GraphQLError, print_schema

from realtime.asgi import graphql_app
from realtime.broadcasts import abroadcast
from realtime.database import in_database
from realtime.live import LiveSubscriptionType
from realtime.models import Event
from realtime.testing import GraphQLClient, OperationError, Subscription
from tests.shelf.models import Book, Shelf

pytestmark = pytest.mark.django_db(transaction=True)

TYPES = """
type Query { me: String  book: Book }
type Subscription { book: Book!  news: String! }
type Book { title: String!  shelf: Shelf }
type Shelf { name: String! }
"""

FOLLOW = "subscription { book { title } }"

create = in_database(Book.objects.create)


def live(**options: Any) -> LiveSubscriptionType:
    """Return the field `book`, of which a test replaces what it is about."""
    subscription = LiveSubscriptionType()
    subscription.topics("book")(options.get("topics", lambda *_: "books"))
    subscription.load("book")(options.get("load", Book.objects.in_bulk))
    if "gone" in options:
        subscription.gone("book")(options["gone"])
    subscription.broadcasts("news")(options.get("broadcasts", lambda *_: "news"))
    return subscription


@asynccontextmanager
async def following(
    query: str = FOLLOW, *bindables: Any, **options: Any
) -> AsyncIterator[Subscription]:
    schema = make_executable_schema(TYPES, live(**options), *bindables)
    async with GraphQLClient(graphql_app(schema)) as client:
        yield await client.subscribe(query)


async def message_of_failure(
    caplog: pytest.LogCaptureFixture, query: str = FOLLOW, **options: Any
) -> str:
    """Subscribe, change something, and return what the log has of the error."""
    with pytest.raises(OperationError, match="Internal server error"):
        async with following(query, **options) as subscription:
            await create(title="Ariadne")
            await subscription.receive()
    [record] = [record for record in caplog.records if record.exc_info]
    assert record.exc_info
    return str(record.exc_info[1])


class TestTopicsOfAField:
    @pytest.mark.parametrize(
        ("given", "described"),
        [
            (None, "None."),
            (UUID(int=1), "an object of type 'UUID'."),
            ([UUID(int=1)], "an object of type 'list' with an object of type 'UUID' in it."),
            (["books", None], "an object of type 'list' with None in it."),
        ],
    )
    async def test_what_is_no_name_is_described(
        self, caplog: pytest.LogCaptureFixture, given: object, described: str
    ) -> None:
        message = await message_of_failure(caplog, topics=lambda *_: given)
        assert message == (
            "topics('book') must return the name of a topic, a string, or several: "
            f"it returned {described}"
        )

    async def test_those_of_broadcasts_are_described(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        message = await message_of_failure(
            caplog, "subscription { news }", broadcasts=lambda *_: None
        )
        assert message.startswith("broadcasts('news') must return the name of a topic")

    @pytest.mark.parametrize("given", ["books", ["books"], ("books",), {"books"}])
    async def test_a_string_is_one_name(self, given: object) -> None:
        async with following(topics=lambda *_: given) as subscription:
            await create(title="Ariadne")
            assert await subscription.receive() == {"book": {"title": "Ariadne"}}


class TestTopicsOfAModel:
    @pytest.mark.parametrize(
        ("given", "described"),
        [
            (lambda _: None, "None."),
            (lambda _: UUID(int=1), "an object of type 'UUID'."),
            (lambda book: book, "an object of type 'Book'."),
            (lambda book: [book], "an object of type 'list' with an object of type 'Book' in it."),
        ],
    )
    def test_what_is_no_name_is_described(
        self, monkeypatch: pytest.MonkeyPatch, given: Callable[[Book], object], described: str
    ) -> None:
        monkeypatch.setattr(Book, "topics", given)
        with pytest.raises(TypeError) as caught:
            Book.objects.create(title="Ariadne")
        assert str(caught.value) == (
            "Book.topics() must return the name of a topic, a string, or several: "
            f"it returned {described}"
        )

    @pytest.mark.parametrize("name", ["", "x" * 201, "nul\0"])
    def test_what_no_topic_can_be_called_is_named(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setattr(Book, "topics", lambda _: [name])
        with pytest.raises(ValueError, match=r"Book\.topics\(\) returned '"):
            Book.objects.create(title="Ariadne")

    def test_a_string_is_one_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Book, "topics", lambda _: "tickets")
        Book.objects.create(title="Ariadne")
        assert [*Event.objects.values_list("topic_id", flat=True)] == ["tickets"]

    async def test_a_string_is_one_name_for_what_has_moved(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Book, "topics", lambda book: f"title.{book.title}")
        subscription = LiveSubscriptionType()
        subscription.topics("book", hide_moved=True)(lambda *_: ["title.A", "title.AB", "title.C"])
        subscription.load("book")(Book.objects.in_bulk)
        book = await create(title="A")
        schema = make_executable_schema(TYPES, subscription)
        async with GraphQLClient(graphql_app(schema)) as client:
            events = await client.subscribe(FOLLOW)
            # Told on the topic where it was, too, whose name begins that of the topic where it is.
            await in_database(Book.objects.filter(pk=book.pk).update)(title="AB")
            await create(title="C")
            assert await events.receive() == {"book": {"title": "AB"}}
            assert await events.receive() == {"book": {"title": "C"}}


class TestLoading:
    @pytest.mark.parametrize(
        ("given", "described"), [([], "an object of type 'list'"), (None, "None")]
    )
    async def test_what_is_no_mapping_is_described(
        self, caplog: pytest.LogCaptureFixture, given: object, described: str
    ) -> None:
        message = await message_of_failure(caplog, load=lambda ids: given)
        assert message == (
            "load('book') must return a mapping of ids to objects, as in_bulk() does: "
            f"it returned {described}."
        )

    async def test_the_log_names_the_field_whose_load_fails(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert await message_of_failure(caplog, load=lambda ids: {}[ids[0]])
        [record] = [record for record in caplog.records if record.exc_info]
        assert record.getMessage().endswith("The values of the live field 'book' cannot be loaded.")

    async def test_what_stands_for_deleted_objects_is_described_likewise(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        message = await message_of_failure(caplog, load=lambda ids: {}, gone=lambda events: [])
        assert message.startswith("gone('book') must return a mapping")

    async def test_load_may_be_async(self) -> None:
        async def load(ids: list[str]) -> Mapping[Any, Book]:
            return await Book.objects.ain_bulk(ids)

        async with following(load=load) as subscription:
            await create(title="Ariadne")
            assert await subscription.receive() == {"book": {"title": "Ariadne"}}

    async def test_gone_may_be_async(self) -> None:
        async def gone(events: list[Event]) -> Mapping[str, Any]:
            return {event.object_id: event.data async for event in _each(events)}

        book = await create(title="Ariadne")
        async with following(gone=gone) as subscription:
            await in_database(book.delete)()
            assert await subscription.receive() == {"book": {"title": "Ariadne"}}

    async def test_what_an_async_load_does_with_the_orm_runs_in_the_waiting_thread(self) -> None:
        threads: list[str] = []

        async def load(ids: list[str]) -> Mapping[Any, Book]:
            threads.append((await sync_to_async(threading.current_thread)()).name)
            return await Book.objects.ain_bulk(ids)

        async with following(load=load) as subscription:
            await create(title="Ariadne")
            await subscription.receive()
        assert [name.partition("_")[0] for name in threads] == ["database-hub"]


async def _each(events: list[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event


class TestOptionsThatCannotBeAsync:
    @pytest.mark.parametrize("option", ["share", "skip"])
    def test_of_a_live_field_they_are_named(self, option: str) -> None:
        async def function(*_: Any, **__: Any) -> None: ...

        with pytest.raises(TypeError, match=rf"{option}= of the field 'book' is async"):
            LiveSubscriptionType().topics("book", **{option: function})  # type: ignore[arg-type]

    def test_of_broadcasts_they_are_named(self) -> None:
        async def share(*_: Any, **__: Any) -> None: ...

        with pytest.raises(TypeError, match="share= of the field 'news' is async"):
            LiveSubscriptionType().broadcasts("news", share=share)  # type: ignore[arg-type]


class TestResolvers:
    async def test_without_one_a_live_field_shows_the_object(self) -> None:
        async with following() as subscription:
            await create(title="Ariadne")
            assert await subscription.receive() == {"book": {"title": "Ariadne"}}

    async def test_without_one_a_field_of_broadcasts_shows_the_payload(self) -> None:
        async with following("subscription { news }") as subscription:
            await abroadcast("news", "Hello")
            assert await subscription.receive() == {"news": "Hello"}

    async def test_one_that_another_type_has_bound_stays(self) -> None:
        other = ObjectType("Subscription")
        other.set_field("book", lambda book, *_: {"title": book.title.upper()})
        schema = make_executable_schema(TYPES, other, live())
        async with GraphQLClient(graphql_app(schema)) as client:
            subscription = await client.subscribe(FOLLOW)
            await create(title="Ariadne")
            assert await subscription.receive() == {"book": {"title": "ARIADNE"}}


class TestTheArgumentAfter:
    @pytest.mark.parametrize("type_", ["Int", "ID", "String!"])
    def test_one_of_another_type_is_refused(self, type_: str) -> None:
        types = TYPES.replace("book: Book!", f"book(after: {type_}): Book!")
        with pytest.raises(ValueError, match="'book' declares an argument 'after' of type"):
            make_executable_schema(types, live())

    def test_the_printed_schema_can_be_read_again(self) -> None:
        printed = print_schema(make_executable_schema(TYPES, live()))
        assert print_schema(make_executable_schema(printed, live())) == printed

    def test_of_other_fields_it_is_the_applications_own(self) -> None:
        types = TYPES.replace("news: String!", "news(after: Int): String!")
        schema = make_executable_schema(types, live())
        assert schema.subscription_type
        assert str(schema.subscription_type.fields["news"].args["after"].type) == "Int"


class TestWithoutMiddleware:
    @pytest.mark.parametrize("key", ["user", "viewer", "session"])
    @pytest.mark.parametrize("over", ["http", "websocket"])
    async def test_what_the_scope_has_not_names_it(
        self, caplog: pytest.LogCaptureFixture, key: str, over: str
    ) -> None:
        query = QueryType()
        query.set_field("me", lambda _, info: str(info.context["request"].scope[key]))
        application = graphql_app(make_executable_schema(TYPES, query))
        await ask(application, "{ me }", over)
        [record] = caplog.records
        assert (
            f"There is no '{key}' in the ASGI scope: put ViewerMiddleware of "
            'realtime.authentication around the application, as in path("graphql/", '
            "ViewerMiddleware(graphql_app(schema)))." in record.getMessage()
        )

    async def test_another_key_is_an_ordinary_error(self, caplog: pytest.LogCaptureFixture) -> None:
        query = QueryType()
        query.set_field("me", lambda _, info: info.context["request"].scope["nothing"])
        await ask(graphql_app(make_executable_schema(TYPES, query)), "{ me }", "websocket")
        [record] = caplog.records
        assert record.getMessage().endswith(" 'nothing'")

    async def test_a_user_that_other_middleware_has_found_is_there(self) -> None:
        query = QueryType()
        query.set_field("me", lambda _, info: str(info.context["request"].scope["user"]))
        application = graphql_app(make_executable_schema(TYPES, query))

        async def found(scope: Any, receive: Any, send: Any) -> None:
            await application({**scope, "user": "ariadne"}, receive, send)

        async with GraphQLClient(found) as client:
            assert await client.query("{ me }") == {"me": "ariadne"}


async def ask(application: Any, query: str, over: str) -> None:
    """Run an operation that fails."""
    if over == "websocket":
        async with GraphQLClient(application) as client:
            with pytest.raises(OperationError, match="Internal server error"):
                await client.query(query)
        return
    body = json.dumps({"query": query}).encode()
    headers = [(b"content-type", b"application/json")]
    http = HttpCommunicator(application, "POST", "/graphql/", body, headers)
    response = await http.get_response()
    [error] = json.loads(response["body"])["errors"]
    assert error["message"] == "Internal server error"


class TestRelationsThatWereNotLoaded:
    ADVICE = "Load what it needs beforehand: a relation with select_related or prefetch_related"

    async def test_one_of_an_event_is_named(self, caplog: pytest.LogCaptureFixture) -> None:
        shelf = await in_database(Shelf.objects.create)(name="left")
        async with following("subscription { book { shelf { name } } }") as subscription:
            await create(title="Ariadne", shelf=shelf)
            with pytest.raises(OperationError):
                await subscription.receive()
        [record] = caplog.records
        assert f"The field 'book.shelf' read the database on the event loop. {self.ADVICE}" in (
            record.getMessage()
        )

    async def test_one_of_a_query_is_named(self, caplog: pytest.LogCaptureFixture) -> None:
        shelf = await in_database(Shelf.objects.create)(name="left")
        await create(title="Ariadne", shelf=shelf)
        query = QueryType()

        @query.field("book")
        async def resolve(*_: Any) -> Any:
            return await Book.objects.afirst()

        application = graphql_app(make_executable_schema(TYPES, query))
        async with GraphQLClient(application) as client:
            with pytest.raises(OperationError):
                await client.query("{ book { shelf { name } } }")
        [record] = caplog.records
        assert f"The field 'book.shelf' read the database on the event loop. {self.ADVICE}" in (
            record.getMessage()
        )

    async def test_an_option_that_reads_is_told_so(self, caplog: pytest.LogCaptureFixture) -> None:
        subscription = LiveSubscriptionType()
        skips = lambda book, **_: bool(book.shelf)  # noqa: E731
        subscription.topics("book", skip=skips)(lambda *_: "books")
        subscription.load("book")(Book.objects.in_bulk)
        shelf = await in_database(Shelf.objects.create)(name="left")
        schema = make_executable_schema(TYPES, subscription)
        async with GraphQLClient(graphql_app(schema)) as client:
            events = await client.subscribe(FOLLOW)
            await create(title="Ariadne", shelf=shelf)
            with pytest.raises(OperationError):
                await events.receive()
        assert "read the database on the event loop" in caplog.records[-1].getMessage()


async def test_an_error_that_was_meant_for_the_client_gets_no_advice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: Any) -> str:
        raise GraphQLError("Not for you")

    with pytest.raises(OperationError, match="Not for you"):
        async with following(topics=refuse):
            pass
    assert caplog.records == []
