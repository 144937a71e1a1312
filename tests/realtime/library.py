"""For the tests of rights: books for those who may view them, news for everybody."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from ariadne import MutationType, QueryType, gql, make_executable_schema
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from graphql import GraphQLError

from realtime.asgi import graphql_app
from realtime.authentication import ViewerMiddleware
from realtime.database import in_database
from realtime.live import LiveSubscriptionType, everyone
from realtime.sessions import begin, opened
from tests.realtime.writing import as_served
from tests.shelf.models import Book

User = get_user_model()

BOOKS, NEWS = "subscription { book }", "subscription { news }"

TYPES = gql("""
type Query { me: String! }
type Mutation { login(name: String!): String  logout: Boolean  deleteMe: Boolean }
type Subscription { book: String!  newest: String!  label: String!  news: String!  endless: Int! }
""")


class Gate:
    """Where a test holds up those who come by, while it is closed."""

    def __init__(self) -> None:
        self._reached, self._open = asyncio.Event(), asyncio.Event()
        self._open.set()

    def close(self) -> None:
        self._reached.clear()
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    async def reached(self) -> None:
        """Wait until somebody has come since it was closed."""
        async with asyncio.timeout(5):
            await self._reached.wait()

    async def passed(self) -> None:
        """Come by."""
        self._reached.set()
        await self._open.wait()


class Library:
    """The schema, and what a test may do to who asks for its fields."""

    def __init__(self, way: str) -> None:
        self.closed_to: set[str] = set()
        """Who is kept out, by name, by nothing that Django knows of."""
        self.gates: dict[str, Gate] = defaultdict(Gate)
        """By field: those who may have it are held up here."""
        self.fault: BaseException | None = None
        """What asking whether one may have a field raises, once."""
        self.loading: Callable[[], object] = lambda: None
        """Called before books are read, in the database thread."""
        self.asked_by: Any = None
        """Who has asked for a field last."""
        subscription = LiveSubscriptionType()
        subscription.topics("book", share=everyone)(self._books)
        subscription.topics("newest", share=everyone, initial=self._newest)(self._books)
        subscription.topics("label")(lambda *_: "books")
        subscription.broadcasts("news", share=everyone)(self._news)
        subscription.set_field("news", lambda text, *_, **__: text)
        for field in ("book", "newest", "label"):
            subscription.load(field)(self._load)
            subscription.set_field(field, lambda book, *_, **__: book.title)
        subscription.set_field("label", _label)
        subscription.set_source("endless", _endless)
        schema = make_executable_schema(TYPES, subscription, _queries(), _mutations())
        self.application = as_served(ViewerMiddleware(graphql_app(schema)), way)

    async def _books(self, _: Any, info: Any) -> str:
        if not await in_database(self._is_reader)(_user(info)):
            raise GraphQLError("Not for you", extensions={"code": "FORBIDDEN"})
        await self._asked(info)
        return "books"

    async def _news(self, _: Any, info: Any) -> str:
        await self._asked(info)
        return "news"

    def _is_reader(self, user: Any) -> bool:
        return user.has_perm("shelf.view_book") and user.username not in self.closed_to

    async def _asked(self, info: Any) -> None:
        self.asked_by = _user(info)
        await self.gates[info.field_name].passed()
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault

    def _load(self, ids: list[str]) -> dict[Any, Book]:
        self.loading()
        return Book.objects.in_bulk(ids)

    def _newest(self, *_: Any) -> Book | None:
        self.loading()
        return Book.objects.last()


def _user(info: Any) -> Any:
    return info.context["request"].scope["user"]


def _label(book: Book, info: Any, **_: Any) -> str:
    """Return what the shelf says to this user, who is staff: its permissions are at hand."""
    return book.title if _user(info).has_perm("shelf.view_book") else "A book"


async def _endless(_: Any, info: Any) -> AsyncGenerator[dict[str, int], None]:
    yield {"endless": 1}
    await asyncio.Event().wait()


def _queries() -> QueryType:
    query = QueryType()
    query.set_field("me", lambda _, info: _user(info).username)
    return query


def _mutations() -> MutationType:
    mutation = MutationType()

    @mutation.field("login")
    async def log_in(_: Any, info: Any, name: str) -> str:
        user = await User.objects.aget(username=name)
        token: str = await info.context["request"].scope["viewer"].log_in(user)
        return token

    @mutation.field("logout")
    async def log_out(_: Any, info: Any) -> None:
        await info.context["request"].scope["viewer"].log_out()

    @mutation.field("deleteMe")
    async def delete(_: Any, info: Any) -> None:
        await in_database(_user(info).delete)()

    return mutation


def create(title: str) -> Awaitable[Book]:
    return in_database(Book.objects.create)(title=title)


def reader(name: str, **fields: Any) -> Any:
    """Make a user who may view books."""
    user = User.objects.create_user(name, password="old", **fields)
    user.user_permissions.add(Permission.objects.get(codename="view_book"))
    return user


def token_of(user: Any) -> str:
    """Begin a session of a user."""
    return str(begin(opened(), user, address="").session.session_key)


@pytest.fixture
def library(way: str) -> Library:
    return Library(way)


@pytest.fixture
def user(transactional_db: None) -> Any:
    return reader("reader")


@pytest.fixture
def token(user: Any) -> str:
    return token_of(user)
