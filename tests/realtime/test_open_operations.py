"""Operations beyond the limit of a connection wait; beside live subscriptions alone they do not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from ariadne.asgi import GraphQL

from realtime import open_operations
from realtime.asgi import graphql_app
from realtime.open_operations import OpenOperations
from realtime.testing import GraphQLClient, OperationError, Socket
from realtime.transports.websocket import WebSocketHandler
from tests.realtime.conftest import acknowledged
from tests.realtime.stranger import Stranger

MODERN, LEGACY = "graphql-transport-ws", "graphql-ws"
DONE = {"quick": "done"}

Set = Callable[..., None]


def begin(id: str, query: str) -> dict[str, Any]:
    return {"id": id, "type": "subscribe", "payload": {"query": query}}


@pytest.fixture
def one_at_once(realtime_settings: Set) -> None:
    realtime_settings(MAX_OPERATIONS=1)


@pytest.fixture
async def narrow(
    one_at_once: None, stranger: Stranger, subprotocol: str
) -> AsyncIterator[GraphQLClient]:
    """Connect to a server that has one operation open at once, and lets one wait."""
    async with GraphQLClient(graphql_app(stranger.schema), subprotocol=subprotocol) as client:
        yield client


@pytest.fixture
async def narrow_socket(one_at_once: None, stranger: Stranger) -> AsyncIterator[Socket]:
    async with acknowledged(stranger, MODERN) as socket:
        yield socket


class TestWaiting:
    @pytest.mark.parametrize("strict_ordering", [False, True])
    async def test_a_burst_of_quick_operations_is_executed(
        self, strict_ordering: bool, stranger: Stranger, subprotocol: str
    ) -> None:
        handler = WebSocketHandler(strict_ordering=strict_ordering)
        app = GraphQL(stranger.schema, websocket_handler=handler)
        async with GraphQLClient(app, subprotocol=subprotocol) as client:
            burst = [await client.subscribe("{ quick }", confirm=False) for _ in range(400)]
            assert [await one.receive() for one in burst] == [DONE] * 400

    async def test_quick_operations_share_the_place_that_subscriptions_leave(
        self, client: GraphQLClient
    ) -> None:
        for _ in range(99):
            await client.subscribe("subscription { endless }")
        burst = [await client.subscribe("{ quick }", confirm=False) for _ in range(150)]
        assert [await one.receive() for one in burst] == [DONE] * 150

    async def test_an_operation_waits_for_one_that_is_being_executed(
        self, narrow: GraphQLClient, stranger: Stranger
    ) -> None:
        slow = await narrow.subscribe("{ slow }", confirm=False)
        quick = await narrow.subscribe("{ quick }", confirm=False)
        await stranger.has("slow started")
        stranger.release.set()
        assert await quick.receive() == DONE
        assert await slow.receive() == {"slow": "done"}
        assert stranger.happened == ["slow started", "slow ended", "quick started"]

    async def test_stopping_the_operation_that_is_executed_lets_the_next_begin(
        self, narrow: GraphQLClient, stranger: Stranger
    ) -> None:
        slow = await narrow.subscribe("{ slow }", confirm=False)
        quick = await narrow.subscribe("{ quick }", confirm=False)
        await stranger.has("slow started")
        await slow.stop()
        stranger.release.set()
        assert await quick.receive() == DONE

    async def test_a_subscription_that_was_stopped_makes_room_when_it_has_cleaned_up(
        self, narrow: GraphQLClient, stranger: Stranger
    ) -> None:
        subscription = await narrow.subscribe("subscription { tidy }")
        await subscription.receive()
        await subscription.stop()
        assert await narrow.query("{ quick }") == DONE
        assert stranger.happened == ["tidy ended", "quick started"]

    async def test_operations_that_wait_are_refused_once_subscriptions_have_all_places(
        self, narrow: GraphQLClient, stranger: Stranger
    ) -> None:
        await narrow.subscribe("subscription { slowly }", confirm=False)
        quick = await narrow.subscribe("{ quick }", confirm=False)
        await stranger.has("slowly started")
        stranger.release.set()
        with pytest.raises(OperationError, match="may have 1 operations at once") as caught:
            await quick.receive()
        assert caught.value.codes == ["TOO_MANY_OPERATIONS"]
        assert "quick started" not in stranger.happened

    async def test_a_legacy_burst_behind_a_slow_connection_init_is_executed(
        self, stranger: Stranger
    ) -> None:
        let_in = asyncio.Event()

        async def on_connect(websocket: Any, payload: Any) -> None:
            await let_in.wait()

        handler = WebSocketHandler(on_connect=on_connect)
        app = GraphQL(stranger.schema, websocket_handler=handler)
        async with Socket(app, subprotocols=[LEGACY]) as socket:
            await socket.send({"type": "connection_init"})
            for number in range(400):
                await socket.send({**begin(str(number), "{ quick }"), "type": "start"})
            await socket.send({"type": "?"})  # is read, and answered, after all of them
            asyncio.get_running_loop().call_soon(let_in.set)
            results = []
            while (message := await socket.receive())["type"] != "error":
                if message["type"] == "data":
                    results.append(message["payload"])
        assert results == [{"data": DONE}] * 400


class TestReading:
    """A client is heard while its operations wait, as long as there is room for more of them."""

    async def test_pings_and_completions_are_heard_while_operations_wait(
        self, narrow_socket: Socket, stranger: Stranger, realtime_settings: Set
    ) -> None:
        await narrow_socket.send(begin("1", "{ slow }"))
        await stranger.has("slow started")
        await narrow_socket.send({"type": "ping"})
        assert await narrow_socket.receive() == {"type": "pong"}
        await narrow_socket.send({"type": "complete", "id": "1"})
        await stranger.has("slow ended")

    async def test_an_operation_that_waits_can_be_completed(
        self, realtime_settings: Set, stranger: Stranger
    ) -> None:
        realtime_settings(MAX_OPERATIONS=2)
        async with acknowledged(stranger, MODERN) as socket:
            for id in "12":
                await socket.send(begin(id, "{ slow }"))
                await stranger.has("slow started")
            await socket.send(begin("3", "{ quick }"))
            await socket.send({"type": "complete", "id": "3"})
            await socket.send({"type": "ping"})
            assert await socket.receive() == {"type": "pong"}
            stranger.release.set()
            assert {(await socket.receive())["id"] for _ in range(4)} == {"1", "2"}
        assert "quick started" not in stranger.happened

    async def test_the_socket_is_not_read_while_as_many_wait_as_may(
        self, narrow_socket: Socket, stranger: Stranger
    ) -> None:
        await narrow_socket.send(begin("1", "{ slow }"))
        await narrow_socket.send(begin("2", "{ quick }"))
        await narrow_socket.send({"type": "ping"})
        await stranger.has("slow started")
        stranger.release.set()
        assert (await narrow_socket.receive())["id"] == "1"  # before the pong
        rest = [(await narrow_socket.receive())["type"] for _ in range(4)]
        assert sorted(rest) == ["complete", "complete", "next", "pong"]

    async def test_the_socket_is_read_again_after_a_time(
        self, narrow_socket: Socket, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(open_operations, "ROOM_TIMEOUT", 0.01)
        await narrow_socket.send(begin("1", "{ slow }"))
        await narrow_socket.send(begin("2", "{ quick }"))
        await narrow_socket.send(begin("3", "{ quick }"))
        await narrow_socket.send({"type": "ping"})
        refused = await narrow_socket.receive()
        assert (refused["id"], refused["type"]) == ("3", "error")
        assert refused["payload"][0]["extensions"] == {"code": "TOO_MANY_OPERATIONS"}
        assert refused["payload"][0]["message"] == "A connection may have 1 operations at once"
        assert await narrow_socket.receive() == {"type": "pong"}
        await narrow_socket.send({"type": "complete", "id": "1"})
        assert (await narrow_socket.receive())["id"] == "2"

    async def test_leaving_ends_what_waits(
        self, one_at_once: None, stranger: Stranger, subprotocol: str
    ) -> None:
        before = asyncio.all_tasks()
        app = graphql_app(stranger.schema)
        async with GraphQLClient(app, subprotocol=subprotocol) as client:
            await client.subscribe("{ slow }", confirm=False)
            await stranger.has("slow started")
        assert asyncio.all_tasks() == before
        assert stranger.happened == ["slow started", "slow ended"]


class TestSilence:
    """A client whose pongs are not read is not closed for its silence."""

    async def test_while_operations_wait(
        self, one_at_once: None, stranger: Stranger, realtime_settings: Set
    ) -> None:
        realtime_settings(MAX_OPERATIONS=1, KEEP_ALIVE_INTERVAL=0.02, PONG_TIMEOUT=0.02)
        async with acknowledged(stranger, MODERN) as socket:
            await socket.send(begin("1", "{ slow }"))
            await socket.send(begin("2", "{ quick }"))
            assert await socket.receive() == {"type": "ping"}
            await socket.send({"type": "pong"})
            asyncio.get_running_loop().call_later(0.2, stranger.release.set)
            assert [(await socket.receive())["id"] for _ in range(4)] == ["1", "1", "2", "2"]
            assert await socket.receive() == {"type": "ping"}  # the pong was read

    async def test_while_messages_come_too_fast(
        self, stranger: Stranger, realtime_settings: Set
    ) -> None:
        realtime_settings(
            MESSAGE_RATE=5, MESSAGE_BURST=2, KEEP_ALIVE_INTERVAL=0.02, PONG_TIMEOUT=0.02
        )
        async with acknowledged(stranger, MODERN) as socket:
            for _ in range(3):
                await socket.send({"type": "pong"})
            await socket.send({"type": "ping", "payload": {"last": True}})
            while (message := await socket.receive()) == {"type": "ping"}:
                await socket.send({"type": "pong"})
            assert message == {"type": "pong", "payload": {"last": True}}


class TestPlaces:
    """What passes the places of a connection on."""

    async def test_a_place_is_passed_on_when_its_heir_is_cancelled_in_the_same_moment(
        self,
    ) -> None:
        places = OpenOperations(1)
        entered: list[str] = []

        async def first() -> None:
            async with places:
                await asyncio.sleep(0)
            heir.cancel()

        async def next_one(name: str) -> None:
            async with places:
                entered.append(name)

        leaving = asyncio.create_task(first())
        heir = asyncio.create_task(next_one("heir"))
        last = asyncio.create_task(next_one("last"))
        await asyncio.wait_for(last, 5)
        await asyncio.wait([leaving, heir])
        assert heir.cancelled()
        assert entered == ["last"]

    async def test_operations_that_are_cancelled_while_they_wait_leave_nothing_behind(
        self,
    ) -> None:
        places = OpenOperations(1)

        async def operate() -> None:
            async with places:
                await asyncio.Event().wait()

        tasks = [asyncio.create_task(operate()) for _ in range(3)]
        await asyncio.sleep(0)
        for task in reversed(tasks):
            task.cancel()
        await asyncio.wait(tasks)
        assert (places._open, len(places._waiting), places._live) == (0, 0, set())
