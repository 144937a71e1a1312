"""Rights that end while a subscription lives."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from realtime import access
from realtime.broadcasts import abroadcast
from realtime.database import in_database
from realtime.protocols import DIALECTS
from realtime.testing import ConnectionClosedError, GraphQLClient, OperationError
from tests.realtime.conftest import hub_tasks
from tests.realtime.library import BOOKS, NEWS, Library, create, reader, token_of
from tests.realtime.streams import HttpStream
from tests.shelf.models import Book

pytestmark = pytest.mark.django_db(transaction=True)

User = get_user_model()


class Reader(Protocol):
    """A subscriber, over one of the transports."""

    async def receive(self) -> str:
        """Return the next title."""

    async def refused(self, code: str = "FORBIDDEN") -> None:
        """Be told that this is over."""


class OverWebSocket:
    def __init__(self, client: GraphQLClient, subscription: Any) -> None:
        self.client = client
        self.subscription = subscription

    async def receive(self) -> Any:
        [value] = (await self.subscription.receive()).values()
        return value

    async def refused(self, code: str = "FORBIDDEN") -> None:
        with pytest.raises(OperationError) as caught:
            await self.subscription.receive()
        assert caught.value.codes == [code]


class OverHTTP:
    def __init__(self, stream: HttpStream) -> None:
        self.stream = stream

    async def receive(self) -> Any:
        while '"data":{' not in (chunk := await self.stream.chunk()):
            assert "errors" not in chunk
        return chunk.partition('":"')[2].partition('"')[0]

    async def refused(self, code: str = "FORBIDDEN") -> None:
        rest = await self.stream.rest()
        assert f'"{code}"' in rest
        assert '"data":{' not in rest


Subscribe = Callable[..., Awaitable[Any]]

ACCEPT = {"sse": "text/event-stream", "multipart": "multipart/mixed;subscriptionSpec=1.0"}


@pytest.fixture(params=[*(dialect.SUBPROTOCOL for dialect in DIALECTS), *ACCEPT])
async def subscribe(request: pytest.FixtureRequest, library: Library) -> AsyncIterator[Subscribe]:
    """Subscribe over each transport."""
    clients: list[GraphQLClient] = []
    streams: list[HttpStream] = []

    async def over_websocket(token: str, query: str) -> OverWebSocket:
        client = GraphQLClient(
            library.application, subprotocol=request.param, payload={"token": token}
        )
        await client.connect()
        clients.append(client)
        return OverWebSocket(client, await client.subscribe(query))

    async def over_http(token: str, query: str) -> OverHTTP:
        stream = HttpStream(
            library.application,
            body={"query": query, "extensions": {"confirm": True}},
            accept=ACCEPT[request.param],
            authorization=f"Bearer {token}",
        )
        assert await stream.open() == 200
        streams.append(stream)
        while "subscribed" not in (chunk := await stream.chunk()):
            assert "errors" not in chunk, chunk
        return OverHTTP(stream)

    async def run(token: str, query: str = BOOKS) -> Any:
        return await (over_http if request.param in ACCEPT else over_websocket)(token, query)

    yield run
    for client in clients:
        await client.leave()
    for stream in streams:
        await stream.leave()


def log_out(user: Any, library: Library) -> None:
    for session in Session.objects.all():
        session.delete()


def deactivate(user: Any, library: Library) -> None:
    user.is_active = False
    user.save()


def deactivate_in_bulk(user: Any, library: Library) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user: Any, library: Library) -> None:
    user.set_password("new")
    user.save()


def delete(user: Any, library: Library) -> None:
    user.delete()


def lose_permission(user: Any, library: Library) -> None:
    user.user_permissions.clear()


def lose_by_telling(user: Any, library: Library) -> None:
    library.closed_to.add(user.username)
    access.changed(user.pk)


ENDS = [log_out, deactivate, deactivate_in_bulk, change_password, delete]
LOSSES = [lose_permission, lose_by_telling]


@pytest.mark.parametrize("revoke", [*ENDS, *LOSSES])
async def test_what_is_published_afterwards_does_not_arrive(
    revoke: Callable[..., None], subscribe: Subscribe, user: Any, token: str, library: Library
) -> None:
    reader = await subscribe(token)
    await create("Emma")
    assert await reader.receive() == "Emma"
    await in_database(revoke)(user, library)
    await create("Persuasion")
    await reader.refused("UNAUTHENTICATED" if revoke in ENDS else "FORBIDDEN")


@pytest.mark.parametrize("revoke", ENDS)
@pytest.mark.parametrize("query", [NEWS, "subscription { endless }"])
async def test_what_has_no_rights_of_its_own_ends_with_its_viewer(
    query: str,
    revoke: Callable[..., None],
    subscribe: Subscribe,
    user: Any,
    token: str,
    library: Library,
) -> None:
    reader = await subscribe(token, query)
    if "endless" in query and isinstance(reader, OverWebSocket):
        assert await reader.receive() == 1
    await in_database(revoke)(user, library)
    await abroadcast("news", "Nobody may hear this")
    over = "UNAUTHENTICATED"
    await reader.refused(over) if "news" in query else await self_ended(reader, over)


async def self_ended(reader: Any, code: str) -> None:
    """Be told that it is over, after what came before."""
    if isinstance(reader, OverHTTP):
        assert f'"{code}"' in await reader.stream.rest()
    else:
        await reader.refused(code)


async def test_the_session_expires(subscribe: Subscribe, token: str) -> None:
    soon = timezone.now() + timedelta(seconds=0.5)
    await Session.objects.aupdate(expire_date=soon)
    reader = await subscribe(token)
    await reader.refused("UNAUTHENTICATED")


async def test_others_go_on(subscribe: Subscribe, user: Any, token: str, library: Library) -> None:
    def another() -> str:
        other = User.objects.create_superuser("other", password="other")
        return token_of(other)

    reader, other = await subscribe(token), await subscribe(await in_database(another)())
    await in_database(lose_permission)(user, library)
    await create("Emma")
    await reader.refused()
    assert await other.receive() == "Emma"


async def test_who_keeps_the_right_misses_nothing(
    subscribe: Subscribe, user: Any, token: str
) -> None:
    def have_it_by_a_group_instead() -> None:
        group = Group.objects.create(name="readers")
        group.permissions.add(Permission.objects.get(codename="view_book"))
        group.user_set.add(user)
        user.user_permissions.clear()

    reader = await subscribe(token)
    titles = [f"Volume {n}" for n in range(5)]
    for title in titles:
        await in_database(have_it_by_a_group_instead)() if title == titles[2] else None
        await create(title)
    assert [await reader.receive() for _ in titles] == titles


@pytest.mark.parametrize("how", ["permissions", "members", "group"])
async def test_rights_by_a_group(how: str, subscribe: Subscribe, user: Any, token: str) -> None:
    def have_it_by_a_group() -> Group:
        group = Group.objects.create(name="readers")
        group.permissions.add(Permission.objects.get(codename="view_book"))
        group.user_set.add(user)
        user.user_permissions.clear()
        return group

    def lose_it(group: Group) -> None:
        match how:
            case "permissions":
                group.permissions.clear()
            case "members":
                group.user_set.clear()
            case "group":
                group.delete()

    group = await in_database(have_it_by_a_group)()
    reader = await subscribe(token)
    await in_database(lose_it)(group)
    await create("Emma")
    await reader.refused()


@pytest.mark.parametrize("accept", ACCEPT.values(), ids=ACCEPT)
async def test_who_has_a_session_of_the_old_secret_key_may_stream(
    accept: str, library: Library, token: str, settings: Any
) -> None:
    """Django gives it a new name, under which it is looked at from then on."""
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    stream = HttpStream(
        library.application, body={"query": BOOKS}, accept=accept, cookie=f"sessionid={token}"
    )
    await stream.open()
    await create("Emma")
    assert await OverHTTP(stream).receive() == "Emma"
    await stream.leave()


async def test_what_nobody_tells_is_found_out(
    subscribe: Subscribe, token: str, library: Library, realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(RECHECK_INTERVAL=0.1)
    reader = await subscribe(token)
    library.closed_to.add("reader")
    await reader.refused()


class TestConnections:
    @pytest.fixture
    async def client(
        self, library: Library, token: str, subprotocol: str
    ) -> AsyncIterator[GraphQLClient]:
        async with GraphQLClient(
            library.application,
            subprotocol=subprotocol,
            payload={"authorization": f"Bearer {token}"},
        ) as client:
            yield client

    @pytest.mark.parametrize("revoke", ENDS)
    async def test_it_is_closed_when_its_viewer_is_gone(
        self, revoke: Callable[..., None], client: GraphQLClient, user: Any, library: Library
    ) -> None:
        assert await client.query("{ me }") == {"me": "reader"}
        await in_database(revoke)(user, library)
        assert await client.closed() == (4403, "Your session is over")

    async def test_who_deletes_itself_leaves_nothing_behind(self, client: GraphQLClient) -> None:
        await client.mutate("mutation { deleteMe }")
        assert await client.closed() == (4403, "Your session is over")
        await client.leave()
        assert hub_tasks() == set()

    async def test_it_stays_when_a_right_is_lost(
        self, client: GraphQLClient, user: Any, library: Library
    ) -> None:
        subscription = await client.subscribe(BOOKS)
        await in_database(lose_permission)(user, library)
        with pytest.raises(OperationError):
            await subscription.receive()
        assert await client.query("{ me }") == {"me": "reader"}

    async def test_who_has_lost_a_right_cannot_subscribe_again(
        self, client: GraphQLClient, user: Any, library: Library
    ) -> None:
        await client.subscribe(BOOKS)
        await in_database(lose_permission)(user, library)
        with pytest.raises(OperationError) as caught:
            while True:  # until it is heard of
                await client.subscribe(BOOKS)
        assert caught.value.codes == ["FORBIDDEN"]

    async def test_the_token_of_an_ended_session_is_refused(
        self, library: Library, user: Any, token: str, subprotocol: str
    ) -> None:
        await in_database(log_out)(user, library)
        with pytest.raises(ConnectionClosedError) as caught:
            async with GraphQLClient(
                library.application, subprotocol=subprotocol, payload={"token": token}
            ):
                pass
        assert caught.value.code == 4403


async def test_who_has_got_something_gets_nothing_more(
    subscribe: Subscribe, user: Any, token: str
) -> None:
    others = await in_database(lambda: token_of(reader("other")))()
    books, others_books = [[await subscribe(each) for _ in range(5)] for each in (token, others)]
    for title in "abc":
        await create(title)
        for each in (*books, *others_books):
            assert await each.receive() == title

    @in_database
    @transaction.atomic
    def revoke() -> None:
        user.user_permissions.clear()
        Book.objects.create(title="Secret")

    await revoke()
    for each in others_books:
        assert await each.receive() == "Secret"
    for each in books:
        await each.refused()
