"""How many connections there may be at once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from realtime.database import in_database
from realtime.testing import ConnectionClosedError, GraphQLClient, OperationError
from tests.addresses import from_address
from tests.realtime.library import Library, reader, token_of
from tests.realtime.streams import HttpStream
from tests.realtime.test_revocation import ACCEPT

pytestmark = pytest.mark.django_db(transaction=True)

ME = "{ me }"
LOGIN = 'mutation { login(name: "reader") }'

Connect = Callable[..., Awaitable[GraphQLClient]]


@pytest.fixture
def way() -> str:
    """It is all one how frames are sent here."""
    return "awaited"


@pytest.fixture
async def connect(library: Library, subprotocol: str) -> AsyncIterator[Connect]:
    """Connect with the options of a client, perhaps from an address, until the test ends."""
    async with AsyncExitStack() as stack:

        async def run(address: str | None = None, **options: Any) -> GraphQLClient:
            application = from_address(library.application, address)
            client = GraphQLClient(application, subprotocol=subprotocol, **options)
            return await stack.enter_async_context(client)

        yield run


@asynccontextmanager
async def streaming(
    library: Library, *, accept: str = ACCEPT["sse"], address: str | None = None, **headers: str
) -> AsyncIterator[int]:
    """Stream a subscription; yields the status of the answer."""
    application = from_address(library.application, address)
    body = {"query": "subscription { endless }"}
    stream = HttpStream(application, body=body, accept=accept, **headers)
    try:
        yield await stream.open()
    finally:
        await stream.leave()


class TestOfOneUser:
    @pytest.fixture(autouse=True)
    def _two(self, realtime_settings: Callable[..., None]) -> None:
        realtime_settings(MAX_CONNECTIONS_PER_USER=2)

    async def test_one_more_is_refused(
        self, connect: Connect, library: Library, token: str
    ) -> None:
        await connect(payload={"token": token})
        await connect(payload={"token": token})
        with pytest.raises(ConnectionClosedError) as caught:
            await connect(payload={"token": token})
        assert caught.value.code == 4403
        assert "2 connections" in caught.value.reason
        async with streaming(library, authorization=f"Bearer {token}") as status:
            assert status == 429

    async def test_there_is_room_for_others(self, connect: Connect, token: str) -> None:
        await connect(payload={"token": token})
        await connect(payload={"token": token})
        assert await (await connect()).query(ME) == {"me": ""}

    async def test_there_is_room_again_when_one_leaves(self, connect: Connect, token: str) -> None:
        await connect(payload={"token": token})
        await (await connect(payload={"token": token})).leave()
        await connect(payload={"token": token})

    @pytest.mark.parametrize("accept", ACCEPT.values(), ids=ACCEPT)
    async def test_streams_count_too(self, accept: str, library: Library, token: str) -> None:
        options = {"accept": accept, "authorization": f"Bearer {token}"}
        async with (
            streaming(library, **options) as first,
            streaming(library, **options) as second,
            streaming(library, **options) as third,
        ):
            assert (first, second, third) == (200, 200, 429)

    async def test_who_logs_in_on_a_connection_takes_one(
        self, connect: Connect, token: str
    ) -> None:
        await (await connect()).mutate(LOGIN)
        await (await connect()).mutate(LOGIN)
        with pytest.raises(ConnectionClosedError):
            await connect(payload={"token": token})

    async def test_who_finds_none_is_not_logged_in(self, connect: Connect, token: str) -> None:
        await connect(payload={"token": token})
        await connect(payload={"token": token})
        client = await connect()
        with pytest.raises(OperationError) as caught:
            await client.mutate(LOGIN)
        assert caught.value.codes == ["TOO_MANY_CONNECTIONS"]
        assert await client.query(ME) == {"me": ""}
        assert [session.pk async for session in Session.objects.all()] == [token]

    async def test_who_is_in_may_log_in_again(self, connect: Connect, token: str) -> None:
        await connect(payload={"token": token})
        client = await connect(payload={"token": token})
        await client.mutate(LOGIN)
        assert await client.query(ME) == {"me": "reader"}


class TestOfNobodyInParticular:
    @pytest.fixture(autouse=True)
    def _three(self, realtime_settings: Callable[..., None]) -> None:
        realtime_settings(MAX_ANONYMOUS_CONNECTIONS=3)

    @pytest.fixture
    async def full(self, connect: Connect) -> None:
        for _ in range(3):
            await connect()

    @pytest.mark.usefixtures("full")
    async def test_one_more_is_refused(self, connect: Connect, library: Library) -> None:
        with pytest.raises(ConnectionClosedError):
            await connect()
        async with streaming(library) as status:
            assert status == 429

    async def test_there_is_room_again_when_they_leave(
        self, connect: Connect, library: Library
    ) -> None:
        clients = [await connect() for _ in range(3)]
        for client in clients:
            await client.leave()
        async with streaming(library) as status:
            assert status == 200

    @pytest.mark.usefixtures("full")
    @pytest.mark.parametrize("where", ["cookie", "header", "payload"])
    async def test_users_come_in_all_the_same(
        self, where: str, connect: Connect, token: str
    ) -> None:
        options: dict[str, Any] = {
            "cookie": {"headers": {"cookie": f"sessionid={token}"}},
            "header": {"headers": {"authorization": f"Bearer {token}"}},
            "payload": {"payload": {"token": token}},
        }[where]
        assert await (await connect(**options)).query(ME) == {"me": "reader"}


class TestOfOneAddress:
    @pytest.fixture(autouse=True)
    def _two(self, realtime_settings: Callable[..., None]) -> None:
        realtime_settings(MAX_CONNECTIONS_PER_ADDRESS=2)

    @pytest.mark.parametrize("third", ["192.0.2.1", "::ffff:192.0.2.1"])
    async def test_one_more_is_refused(self, third: str, connect: Connect) -> None:
        await connect("192.0.2.1")
        await connect("192.0.2.1")
        with pytest.raises(ConnectionClosedError):
            await connect(third)

    @pytest.mark.parametrize("accept", ACCEPT.values(), ids=ACCEPT)
    async def test_streams_count_too(self, accept: str, library: Library) -> None:
        options = {"accept": accept, "address": "192.0.2.1"}
        async with (
            streaming(library, **options) as first,
            streaming(library, **options) as second,
            streaming(library, **options) as third,
        ):
            assert (first, second, third) == (200, 200, 429)

    async def test_of_ipv6_a_network_is_one(self, connect: Connect) -> None:
        await connect("2001:db8::1")
        await connect("2001:db8::2")
        with pytest.raises(ConnectionClosedError):
            await connect("2001:db8::3")

    async def test_there_is_room_for_others(self, connect: Connect) -> None:
        for address in ("192.0.2.1", "192.0.2.2"):
            for _ in range(2):
                await connect(address)

    async def test_users_take_none(self, connect: Connect, token: str) -> None:
        for _ in range(3):
            await connect("192.0.2.1", headers={"authorization": f"Bearer {token}"})

    async def test_users_have_a_limit_of_their_own_together(
        self, connect: Connect, library: Library, user: Any, realtime_settings: Any
    ) -> None:
        realtime_settings(MAX_USER_CONNECTIONS_PER_ADDRESS=2)
        tokens = [
            await in_database(lambda name=name: token_of(reader(name)))()
            for name in ("one", "two", "three")
        ]
        for token in tokens[:2]:
            await connect("192.0.2.1", payload={"token": token})
        with pytest.raises(ConnectionClosedError) as caught:
            await connect("192.0.2.1", payload={"token": tokens[2]})
        assert "2 connections" in caught.value.reason
        headers = {"authorization": f"Bearer {tokens[2]}"}
        async with streaming(library, address="192.0.2.1", **headers) as status:
            assert status == 429
        await connect("192.0.2.2", payload={"token": tokens[2]})

    async def test_a_login_beyond_that_limit_is_refused(
        self, connect: Connect, token: str, realtime_settings: Any
    ) -> None:
        realtime_settings(MAX_USER_CONNECTIONS_PER_ADDRESS=1)
        await connect("192.0.2.1", payload={"token": token})
        client = await connect("192.0.2.1")
        with pytest.raises(OperationError) as caught:
            await client.mutate(LOGIN)
        assert caught.value.codes == ["TOO_MANY_CONNECTIONS"]

    async def test_who_logs_in_gives_its_own_back(self, connect: Connect, user: Any) -> None:
        for _ in range(3):
            await (await connect("192.0.2.1")).mutate(LOGIN)
