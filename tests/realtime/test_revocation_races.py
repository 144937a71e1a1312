"""Rights that end just when something is on its way."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import Event as ThreadEvent
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from realtime import access, doorbell, viewers
from realtime.audience import Audience, Broadcasts
from realtime.broadcasts import abroadcast
from realtime.database import in_database
from realtime.delivery import Shared
from realtime.hub import Hub
from realtime.loading import Loader
from realtime.payloads import to_text
from realtime.publishing import publish
from realtime.reading import AS_THEY_ARE
from realtime.sentinel import Sentinel
from realtime.testing import GraphQLClient, OperationError, Subscription
from realtime.viewers import Viewers
from tests.realtime.conftest import Titles, change, hub_tasks, subscribed
from tests.realtime.library import BOOKS, NEWS, Library, create, reader, token_of
from tests.realtime.streams import HttpStream
from tests.realtime.test_revocation import ACCEPT
from tests.shelf.models import Book

pytestmark = pytest.mark.django_db(transaction=True)


async def refused(awaitable: Awaitable[Any], code: str = "FORBIDDEN") -> None:
    with pytest.raises(OperationError) as caught:
        await awaitable
    assert caught.value.codes == [code]


def lose_it(user: Any) -> Awaitable[None]:
    return in_database(user.user_permissions.clear)()


def once(*steps: Callable[[], object]) -> Callable[[], None]:
    """Return what takes these steps when it is called first."""
    waiting = [*steps]

    def run() -> None:
        while waiting:
            waiting.pop(0)()

    return run


def reveal() -> None:
    Book.objects.update(title="Secret")


class TestSubscribing:
    @pytest.fixture
    async def client(self, library: Library, token: str, subprotocol: str) -> GraphQLClient:
        return GraphQLClient(library.application, subprotocol=subprotocol, payload={"token": token})

    async def test_one_that_begins_while_others_are_looked_at_is_looked_at_too(
        self, client: GraphQLClient, library: Library, user: Any
    ) -> None:
        books, news = library.gates["book"], library.gates["news"]
        async with client:
            await client.subscribe(NEWS)
            books.close()
            news.close()
            subscribing = asyncio.create_task(client.subscribe(BOOKS))
            await books.reached()  # the right was asked for, and was there
            await lose_it(user)
            await news.reached()
            books.open()
            subscription = await subscribing
            news.open()
            await create("Secret")
            await refused(subscription.receive())

    async def test_one_that_begins_while_the_session_ends_is_refused(
        self, client: GraphQLClient, library: Library
    ) -> None:
        gate = library.gates["news"]
        gate.close()
        async with client:
            subscribing = asyncio.create_task(client.subscribe(NEWS))
            await gate.reached()
            await client.mutate("mutation { logout }")
            gate.open()
            await refused(subscribing, "UNAUTHENTICATED")

    @pytest.mark.parametrize("accept", ACCEPT.values(), ids=ACCEPT)
    async def test_so_is_one_over_http(self, accept: str, library: Library, token: str) -> None:
        gate = library.gates["news"]
        gate.close()
        stream = HttpStream(
            library.application,
            body={"query": NEWS},
            accept=accept,
            authorization=f"Bearer {token}",
        )
        opening = asyncio.create_task(stream.open())
        await gate.reached()
        await Session.objects.all().adelete()
        async with asyncio.timeout(5):
            while library.asked_by.is_authenticated:
                await asyncio.sleep(0.001)
        gate.open()
        await opening
        await abroadcast("news", "Nobody may hear this")
        async with asyncio.timeout(5):
            assert '"UNAUTHENTICATED"' in await stream.rest()
        await stream.leave()

    async def test_an_initial_value_is_not_later_than_the_right_to_it(
        self,
        client: GraphQLClient,
        library: Library,
        user: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        await create("Emma")
        # As it is told of by another process without Redis: not at all.
        monkeypatch.setattr(doorbell, "ring", lambda heads: None)
        library.loading = once(user.user_permissions.clear, reveal)
        async with client:
            with pytest.raises(OperationError):
                subscription = await client.subscribe("subscription { newest }")
                await subscription.receive()


async def test_what_is_loaded_is_not_later_than_the_right_to_it(
    library: Library, user: Any, token: str
) -> None:
    async with GraphQLClient(library.application, payload={"token": token}) as client:
        subscription = await client.subscribe(BOOKS)
        library.loading = once(user.user_permissions.clear, reveal)
        await create("Emma")
        await refused(subscription.receive())


async def test_a_result_that_was_kept_is_not_for_who_has_lost_a_right_since(
    library: Library,
) -> None:
    def clerk() -> tuple[Any, str]:
        user = reader("clerk", is_staff=True)
        return user, token_of(user)

    async def labels(client: GraphQLClient) -> Subscription:
        # Of what was before it there is no confirmation.
        return await client.subscribe("subscription { label }", after="0", confirm=False)

    user, token = await in_database(clerk)()
    async with GraphQLClient(library.application, payload={"token": token}) as client:
        before = await labels(client)
        await create("Emma")
        assert await before.receive() == {"label": "Emma"}
        await lose_it(user)
        async with GraphQLClient(library.application, payload={"token": token}) as again:
            assert await (await labels(again)).receive() == {"label": "A book"}


class TestLookingAtThem:
    async def test_one_that_takes_long_keeps_no_other_waiting(
        self, library: Library, user: Any, token: str
    ) -> None:
        def another() -> tuple[Any, str]:
            other = reader("other")
            return other, token_of(other)

        other, others = await in_database(another)()
        gate = library.gates["news"]
        async with (
            GraphQLClient(library.application, payload={"token": token}) as held_up,
            GraphQLClient(library.application, payload={"token": others}) as client,
        ):
            await held_up.subscribe(NEWS)
            subscription = await client.subscribe(BOOKS)
            gate.close()
            await in_database(access.changed)(user.pk)
            await gate.reached()
            await in_database(access.changed)(other.pk)
            await create("Emma")
            assert await subscription.receive() == {"book": "Emma"}

    async def test_it_is_tried_again_when_it_is_cancelled_within(
        self, library: Library, user: Any, token: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(viewers, "RETRY", 0.01)
        async with GraphQLClient(library.application, payload={"token": token}) as client:
            subscription = await client.subscribe(BOOKS)
            library.fault = asyncio.CancelledError()
            await in_database(access.changed)(user.pk)
            await create("Emma")
            assert await subscription.receive() == {"book": "Emma"}
            assert library.fault is None


class Listener(Broadcasts):
    """Writes down what it is handed out, and has something to do then."""

    __slots__ = ("_happened",)

    def __init__(self, happened: list[str]) -> None:
        super().__init__(Hub.current(), ["news"], AS_THEY_ARE)
        self._happened = happened

    def push(self, broadcast: Shared) -> bool:
        self._happened.append(broadcast.value)
        return True


async def test_rights_go_before_a_broadcast_that_comes_while_others_are_handed_out() -> None:
    happened: list[str] = []

    async def hand_out_rights() -> None:
        happened.append("rights")

    audience = Audience(hand_out_rights)
    audience.join(Listener(happened))
    audience.join(Listener(happened))
    task = asyncio.create_task(audience.hand_out())
    audience.hear("news", to_text("early"))
    async with asyncio.timeout(5):
        while "early" not in happened:
            await asyncio.sleep(0)
        happened.append("heard")
        audience.hear("news", to_text("late"))
        while "late" not in happened:
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert "rights" in happened[happened.index("heard") : happened.index("late")]


class TestSentinels:
    async def test_one_that_comes_while_the_log_is_read_goes_before_what_comes_later(
        self, feed: Titles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reading, may_read, read = ThreadEvent(), ThreadEvent(), Loader.read

        def held_up(*args: Any, **kwargs: Any) -> Any:
            reading.set()
            assert may_read.wait(10)
            return read(*args, **kwargs)

        heard: list[str] = []
        async with subscribed(feed, "a") as subscription:
            monkeypatch.setattr(Loader, "read", held_up)
            await in_database(publish)([change("a", "early")])
            while not reading.is_set():
                await asyncio.sleep(0.001)
            sentinel = await Sentinel.posted(
                Hub.current(), ["rights"], Titles(), lambda values: heard.extend(values or ())
            )
            await in_database(publish)([change("rights", "lost")])
            await in_database(publish)([change("a", "late")])
            may_read.set()
            async with asyncio.timeout(5):
                while (await anext(subscription)).value != "late":
                    pass
            assert heard == ["lost"]
            await sentinel.aclose()

    async def test_who_is_cancelled_leaving_leaves_none(self) -> None:
        class Somebody:
            pk = "1"

            def doubt(self) -> None: ...

            async def settle(self) -> None: ...

        somebody, everybody = Somebody(), Viewers.current()
        everybody.join(somebody)
        await everybody.hear()
        leaving = asyncio.create_task(everybody.leave(somebody))
        await asyncio.sleep(0)  # it has begun
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
        assert hub_tasks() == set()
