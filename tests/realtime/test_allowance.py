"""What one client may have executed at once, and leave unread."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial

import pytest

from realtime import allowance
from realtime.allowance import LARGE, Executing, Held, holding, unread
from realtime.asgi import graphql_app
from realtime.exceptions import TooManyRunningError, TooMuchUnreadError
from realtime.testing import GraphQLClient
from tests.realtime.every_transport import TRANSPORTS
from tests.realtime.stranger import Stranger

Set = Callable[..., None]
MUCH = 4 * LARGE


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert (allowance._clients, allowance._held) == ({}, {})


async def holds(asker: str, size: int, abort: Callable[[], object] = bool) -> Held:
    """Return a result of a client that waits to be read."""
    async with Executing(asker) as held:
        held.settle(size, abort)
    return held


async def runs(asker: str) -> None:
    async with Executing(asker):
        pass


class TestRunning:
    @pytest.fixture(autouse=True)
    def _one(self, realtime_settings: Set) -> None:
        realtime_settings(MAX_RUNNING_PER_CLIENT=1)

    async def test_more_wait_in_order(self) -> None:
        ran = []

        async def run(number: int) -> None:
            async with Executing("a"):
                await asyncio.sleep(0)
                ran.append(number)

        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(run(number))
        assert ran == [0, 1, 2, 3, 4]

    async def test_each_client_for_itself(self) -> None:
        async with Executing("a"), asyncio.timeout(5), Executing("b"):
            pass

    async def test_the_wait_is_limited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(allowance, "TIMEOUT", 0.01)
        async with Executing("a"):
            with pytest.raises(TooManyRunningError):
                await runs("a")

    async def test_the_number_of_those_who_wait_is_limited(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(allowance, "MAX_WAITING", 0)
        async with Executing("a"):
            with pytest.raises(TooManyRunningError):
                await runs("a")

    async def test_who_is_cancelled_does_not_keep_a_place(self) -> None:
        async with Executing("a"):
            waiting = asyncio.create_task(runs("a"))
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(5):
            await runs("a")

    async def test_over_all_connections(self, stranger: Stranger, subprotocol: str) -> None:
        app = graphql_app(stranger.schema)
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(GraphQLClient(app, subprotocol=subprotocol))
                for _ in range(2)
            ]
            slow = await clients[0].subscribe("{ slow }", confirm=False)
            await stranger.has("slow started")
            quick = await clients[1].subscribe("{ quick }", confirm=False)
            await quick.expect_nothing()
            assert "quick started" not in stranger.happened
            stranger.release.set()
            assert await slow.receive() == {"slow": "done"}
            assert await quick.receive() == {"quick": "done"}

    async def test_subscriptions_are_not_counted(
        self, stranger: Stranger, subprotocol: str
    ) -> None:
        app = graphql_app(stranger.schema)
        async with GraphQLClient(app, subprotocol=subprotocol) as client:
            streams = [
                await client.subscribe("subscription { endless }", confirm=False) for _ in range(3)
            ]
            assert [await stream.receive() for stream in streams] == [{"endless": 1}] * 3
            assert await client.query("{ quick }") == {"quick": "done"}


class TestUnread:
    @pytest.fixture(autouse=True)
    def _limits(self, realtime_settings: Set) -> None:
        realtime_settings(MAX_UNREAD_PER_CLIENT=MUCH, MAX_UNREAD=3 * MUCH)

    async def test_small_results_are_not_counted(self) -> None:
        await holds("a", LARGE)
        assert unread() == 0

    async def test_operations_wait_until_it_is_read(self) -> None:
        held = await holds("a", MUCH + 1)
        waiting = asyncio.create_task(runs("a"))
        await asyncio.sleep(0)
        await runs("b")
        assert not waiting.done()
        held.free()
        async with asyncio.timeout(5):
            await waiting

    async def test_for_a_limited_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(allowance, "TIMEOUT", 0.01)
        held = await holds("a", MUCH + 1)
        with pytest.raises(TooMuchUnreadError):
            await runs("a")
        held.free()

    async def test_a_result_is_not_made_to_its_end_beside_others(self) -> None:
        held = await holds("a", MUCH)
        with pytest.raises(TooMuchUnreadError):
            async with Executing("a"):
                running = holding.get()
                assert running is not None
                running.grow(1)
        held.free()

    async def test_one_alone_may_be_as_large_as_a_result_may(self) -> None:
        async with Executing("a") as held:
            held.grow(2 * MUCH)
        held.free()

    async def test_who_holds_most_is_cut_off_beyond_what_all_may(self) -> None:
        aborted: list[str] = []
        results = [
            await holds(asker, size, partial(aborted.append, asker))
            for asker, size in (("a", MUCH), ("b", 2 * MUCH - LARGE), ("c", MUCH))
        ]
        assert aborted == ["b"]
        for held in results:
            held.free()

    async def test_a_result_counts_that_was_not_counted_while_it_was_made(self) -> None:
        async with Executing("a") as held:
            held.settle(MUCH)
        with pytest.raises(TooMuchUnreadError):
            async with Executing("a") as other:
                other.grow(1)
        held.free()

    @pytest.mark.parametrize("transport", TRANSPORTS)
    async def test_nothing_is_held_when_an_operation_has_its_result(
        self, transport: str, stranger: Stranger
    ) -> None:
        await TRANSPORTS[transport](graphql_app(stranger.schema), {"query": "{ quick }"})
        assert unread() == 0
