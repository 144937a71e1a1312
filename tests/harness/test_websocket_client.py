import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.harness.http_client import Payload
from tests.harness.websocket_client import (
    SUBPROTOCOL,
    Closed,
    Errors,
    Fault,
    GraphQLSocket,
    UnexpectedError,
)

ORIGIN = "http://localhost"


class Peer:
    """The server's end of a connection, which a test's script drives."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection

    async def send(
        self, kind: str, operation_id: str | None = None, payload: object = None
    ) -> None:
        fields = {"type": kind, "id": operation_id, "payload": payload}
        message = {name: value for name, value in fields.items() if value is not None}
        await self.connection.send(json.dumps(message))

    async def receive(self, kind: str) -> Payload:
        message: Payload = json.loads(await self.connection.recv())
        assert message["type"] == kind
        return message

    async def acknowledge(self) -> None:
        await self.receive("connection_init")
        await self.send("connection_ack")

    async def subscribed(self) -> str:
        return str((await self.receive("subscribe"))["id"])


Script = Callable[[Peer], Awaitable[object]]


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[str]:
    """Serve connections by the script, each open until the client closes it; yield the address."""

    async def handle(connection: ServerConnection) -> None:
        await script(Peer(connection))
        await connection.wait_closed()

    subprotocols = [Subprotocol(SUBPROTOCOL)]
    origins = [None, Origin(ORIGIN)]
    async with serve(handle, "127.0.0.1", 0, subprotocols=subprotocols, origins=origins) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql/"


@asynccontextmanager
async def connected(script: Script) -> AsyncIterator[GraphQLSocket]:
    """Connect to a server that acknowledges, and then follows the script."""

    async def acknowledge(peer: Peer) -> None:
        await peer.acknowledge()
        await script(peer)

    async with serving(acknowledge) as url, GraphQLSocket(url) as socket:
        yield socket


async def test_the_init_carries_headers_and_payload_and_the_ack_its_payload() -> None:
    seen: list[Any] = []

    async def script(peer: Peer) -> None:
        request = peer.connection.request
        assert request is not None
        seen.extend([request.headers["Origin"], request.headers["Cookie"]])
        seen.append(await peer.receive("connection_init"))
        await peer.send("connection_ack", payload={"user": 7})

    async with (
        serving(script) as url,
        GraphQLSocket(
            url, origin=ORIGIN, headers={"Cookie": "sessionid=a"}, init_payload={"token": "b"}
        ) as socket,
    ):
        assert socket.ack_payload == {"user": 7}
    init = {"type": "connection_init", "payload": {"token": "b"}}
    assert seen == [ORIGIN, "sessionid=a", init]


async def test_a_refused_origin_raises_the_status_of_the_handshake() -> None:
    async with serving(Peer.acknowledge) as url:
        with pytest.raises(InvalidStatus, match="403"):
            async with GraphQLSocket(url, origin="http://elsewhere"):
                pass


async def test_a_refused_init_tells_the_close() -> None:
    async def script(peer: Peer) -> None:
        await peer.receive("connection_init")
        await peer.connection.close(4403, "Forbidden")

    async with serving(script) as url:
        with pytest.raises(UnexpectedError, match="4403") as caught:
            async with GraphQLSocket(url):
                pass
    assert caught.value.came == Closed(code=4403, reason="Forbidden")


async def test_execute_returns_the_one_result() -> None:
    requests: list[Payload] = []

    async def script(peer: Peer) -> None:
        requests.append(await peer.receive("subscribe"))
        await peer.send("next", "1", {"data": {"me": 1}})
        await peer.send("complete", "1")

    async with connected(script) as socket:
        assert await socket.execute("query Me { me }", {"a": 1}, "Me") == {"data": {"me": 1}}
    sent = {"query": "query Me { me }", "variables": {"a": 1}, "operationName": "Me"}
    assert requests == [{"type": "subscribe", "id": "1", "payload": sent}]


async def test_execute_refuses_a_second_result() -> None:
    async def script(peer: Peer) -> None:
        running = await peer.subscribed()
        await peer.send("next", running, {"data": 1})
        await peer.send("next", running, {"data": 2})

    async with connected(script) as socket:
        with pytest.raises(UnexpectedError, match="the completion"):
            await socket.execute("{ me }")


async def test_operations_of_one_socket_keep_apart() -> None:
    async def script(peer: Peer) -> None:
        first, second = await peer.subscribed(), await peer.subscribed()
        await peer.send("next", second, {"data": "second"})
        await peer.send("next", first, {"data": "first"})

    async with connected(script) as socket:
        first = await socket.subscribe("subscription { a }")
        second = await socket.subscribe("subscription { b }")
        assert await first.next() == {"data": "first"}
        assert await second.next() == {"data": "second"}


async def test_live_asks_for_the_confirmation_and_leaves_every_later_event() -> None:
    requests: list[Payload] = []

    async def script(peer: Peer) -> None:
        requests.append(await peer.receive("subscribe"))
        await peer.send("next", "1", {"data": None, "extensions": {"subscribed": True}})
        await peer.send("next", "1", {"data": {"a": 1}})

    async with connected(script) as socket:
        subscription = await socket.live("subscription A { a }", {"b": 2}, "A")
        assert await subscription.next() == {"data": {"a": 1}}
    sent = {"query": "subscription A { a }", "variables": {"b": 2}, "operationName": "A"}
    assert requests[0]["payload"] == {**sent, "extensions": {"confirm": True}}


async def test_live_raises_what_came_instead_of_the_confirmation() -> None:
    async def script(peer: Peer) -> None:
        await peer.send("next", await peer.subscribed(), {"data": {"a": 1}})

    async with connected(script) as socket:
        with pytest.raises(UnexpectedError, match=r"the confirmation.*\{'a': 1\}"):
            await socket.live("subscription { a }")


async def test_next_raises_the_errors_that_came_instead_and_again_when_asked_again() -> None:
    errors = [{"message": "Cannot query field"}]

    async def script(peer: Peer) -> None:
        await peer.send("error", await peer.subscribed(), errors)

    async with connected(script) as socket:
        subscription = await socket.subscribe("subscription { a }")
        for _ in range(2):
            with pytest.raises(UnexpectedError, match="Cannot query field") as caught:
                await subscription.next()
            assert caught.value.came == Errors(errors=errors)


async def test_next_and_live_raise_when_nothing_comes() -> None:
    async with connected(Peer.subscribed) as socket:
        subscription = await socket.subscribe("subscription { a }")
        with pytest.raises(AssertionError, match="expected a result, but none came"):
            await subscription.next(timeout=0.05)
        with pytest.raises(AssertionError, match="expected the confirmation, but none came"):
            await socket.live("subscription { b }", timeout=0.05)


async def test_a_close_reaches_every_operation_and_the_socket() -> None:
    async def script(peer: Peer) -> None:
        await peer.subscribed()
        await peer.subscribed()
        await peer.connection.close(4401, "Unauthorized")

    closed = Closed(code=4401, reason="Unauthorized")
    async with connected(script) as socket:
        subscriptions = [await socket.subscribe("subscription { a }") for _ in range(2)]
        for subscription in subscriptions:
            with pytest.raises(UnexpectedError) as caught:
                await subscription.next()
            assert caught.value.came == closed
        assert await socket.closed() == closed
        with pytest.raises(UnexpectedError, match="an open connection"):
            await socket.subscribe("subscription { a }")


async def test_a_connection_cut_without_a_close_frame_has_the_code_1006() -> None:
    async def script(peer: Peer) -> None:
        peer.connection.transport.abort()

    async with connected(script) as socket:
        assert await socket.closed() == Closed(code=1006, reason="")


async def test_a_socket_that_stays_open_is_not_closed() -> None:
    async with connected(Peer.subscribed) as socket:
        with pytest.raises(AssertionError, match="expected a close"):
            await socket.closed(timeout=0.05)


async def test_complete_tells_the_server_and_then_nothing_comes() -> None:
    completed: list[Payload] = []
    told = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.subscribed()
        completed.append(await peer.receive("complete"))
        told.set()

    async with connected(script) as socket:
        subscription = await socket.subscribe("subscription { a }")
        await subscription.complete()
        await asyncio.wait_for(told.wait(), 5)
        await subscription.nothing(0.05)
    assert completed == [{"type": "complete", "id": "1"}]


async def test_nothing_raises_what_comes() -> None:
    async def script(peer: Peer) -> None:
        await peer.send("next", await peer.subscribed(), {"data": "something"})

    async with connected(script) as socket:
        subscription = await socket.subscribe("subscription { a }")
        with pytest.raises(UnexpectedError, match="something"):
            await subscription.nothing(5)


async def test_a_ping_is_answered_even_before_the_ack() -> None:
    async def script(peer: Peer) -> None:
        await peer.receive("connection_init")
        await peer.send("ping")
        await peer.receive("pong")
        await peer.send("connection_ack")

    async with serving(script) as url, GraphQLSocket(url) as socket:
        assert socket.ack_payload is None


@pytest.mark.parametrize(
    "message",
    ['{"type": "next", "id": "9", "payload": {}}', '{"type": "connection_ack"}', "[]", "{", b"{}"],
)
async def test_a_fault_of_the_servers_reaches_the_operations_and_the_end_of_the_block(
    message: str | bytes,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.subscribed()
        await peer.connection.send(message)

    with pytest.raises(UnexpectedError, match="no fault of the server's"):
        async with connected(script) as socket:
            subscription = await socket.subscribe("subscription { a }")
            with pytest.raises(UnexpectedError) as caught:
                await subscription.next()
            assert isinstance(caught.value.came, Fault)


async def test_the_reader_ends_with_the_block() -> None:
    async with serving(Peer.acknowledge) as url:
        async with GraphQLSocket(url):
            assert "GraphQLSocket reader" in {task.get_name() for task in asyncio.all_tasks()}
        assert "GraphQLSocket reader" not in {task.get_name() for task in asyncio.all_tasks()}
