"""What a client may not send: too much, too large, or not what the protocol has."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from realtime.asgi import graphql_app
from realtime.testing import GraphQLClient, OperationError, Socket
from tests.realtime.conftest import acknowledged
from tests.realtime.stranger import Stranger

MODERN, LEGACY = "graphql-transport-ws", "graphql-ws"

SIZE = 64 * 1024

DONE = {"quick": "done"}

DEEP = 10_000


@pytest.fixture(autouse=True)
async def _neighbour(stranger: Stranger) -> AsyncIterator[None]:
    """Be another connection, which goes on being served whatever a test does."""
    async with GraphQLClient(graphql_app(stranger.schema)) as client:
        subscription = await client.subscribe("subscription { endless }")
        yield
        assert await subscription.receive() == {"endless": 1}
        assert await client.query("{ quick }") == DONE


@pytest.fixture
async def socket(stranger: Stranger, subprotocol: str) -> AsyncIterator[Socket]:
    async with acknowledged(stranger, subprotocol) as socket:
        yield socket


class TestSize:
    @staticmethod
    def message(subprotocol: str, size: int, letter: str) -> str:
        """Return a message of so many bytes, most of them of one letter."""
        kind = "subscribe" if subprotocol == MODERN else "start"
        padding = {"of": ""}
        payload = {"query": "{ quick }", "extensions": {"padding": padding}}
        message = {"id": "1", "type": kind, "payload": payload}
        room, width = size - len(json.dumps(message)), len(letter.encode())
        padding["of"] = "x" * (room % width) + letter * (room // width)
        text = json.dumps(message, ensure_ascii=False)
        assert len(text.encode()) == size
        return text

    @pytest.mark.parametrize("letter", ["x", "é", "😀"])
    async def test_a_message_over_the_limit_closes(
        self, letter: str, socket: Socket, subprotocol: str
    ) -> None:
        await socket.send(self.message(subprotocol, SIZE + 1, letter))
        assert await socket.closed() == (4400, "Message is larger than 65536 bytes")

    @pytest.mark.parametrize("letter", ["x", "é", "😀"])
    async def test_a_message_at_the_limit_is_served(
        self, letter: str, socket: Socket, subprotocol: str
    ) -> None:
        await socket.send(self.message(subprotocol, SIZE, letter))
        assert (await socket.receive())["payload"] == {"data": DONE}

    async def test_the_limit_is_a_setting(
        self, client: GraphQLClient, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(MAX_MESSAGE_SIZE=100)
        await client.leave()
        await client.connect()
        await client.send(" " * 101)
        assert await client.closed() == (4400, "Message is larger than 100 bytes")


class TestOperations:
    async def test_the_hundred_and_first_is_refused_and_the_others_go_on(
        self, client: GraphQLClient
    ) -> None:
        endless = "subscription { endless }"
        running = [await client.subscribe(endless) for _ in range(100)]
        for _ in range(2):
            with pytest.raises(OperationError, match="may have 100 operations at once") as caught:
                await client.subscribe(endless)
            assert caught.value.codes == ["TOO_MANY_OPERATIONS"]
        assert [await one.receive() for one in running] == [{"endless": 1}] * 100
        await running[0].stop()
        assert await client.query("{ quick }") == DONE

    async def test_those_that_have_ended_are_not_counted(
        self, client: GraphQLClient, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(MAX_OPERATIONS=2)
        await client.leave()
        await client.connect()
        await client.subscribe("subscription { endless }")
        for _ in range(3):
            assert await client.query("{ quick }") == DONE
            with pytest.raises(OperationError, match="Cannot query field"):
                await client.query("{ unknown }")
            with pytest.raises(OperationError, match="Internal server error"):
                await client.query("{ broken }")
            three = await client.subscribe("subscription { three }")
            assert len([result async for result in three]) == 3


def nested(opening: str, closing: str, depth: int = DEEP) -> str:
    return opening * depth + closing * depth


NO_MESSAGES = [
    ("", "Message is not valid JSON"),
    ("{", "Message is not valid JSON"),
    ("\ufeff{}", "Message is not valid JSON"),
    ('{"type": "ping", "payload": {"n": NaN}}', "Message is not valid JSON"),
    (nested("[", "]"), "Message is not valid JSON"),
    ('{"a":' * DEEP + "1" + "}" * DEEP, "Message is not valid JSON"),
    ("[]", "Message is not a JSON object"),
    ('"text"', "Message is not a JSON object"),
    ("null", "Message is not a JSON object"),
    ("1", "Message is not a JSON object"),
]
UNKNOWN_TYPES = [None, "", "unknown", 1, True, ["ping"], {"ping": 1}, "x" * 1000]
BAD_OPERATIONS = [
    ({}, "id must be a non-empty string"),
    ({"id": ""}, "id must be a non-empty string"),
    ({"id": ["1"]}, "id must be a non-empty string"),
    ({"id": "1"}, "payload must be an object"),
    ({"id": "1", "payload": None}, "payload must be an object"),
    ({"id": "1", "payload": []}, "payload must be an object or null"),
    ({"id": "1", "payload": {}}, "payload.query must be a string"),
    ({"id": "1", "payload": {"query": {}}}, "payload.query must be a string"),
    (
        {"id": "1", "payload": {"query": "{ quick }", "variables": []}},
        "payload.variables must be an object or null",
    ),
    (
        {"id": "1", "payload": {"query": "{ quick }", "extensions": "x"}},
        "payload.extensions must be an object or null",
    ),
    (
        {"id": "1", "payload": {"query": "{ quick }", "operationName": 1}},
        "payload.operationName must be a string or null",
    ),
]


class TestBadMessages:
    @pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"x" * SIZE * 2])
    async def test_binary_closes(self, data: bytes, socket: Socket) -> None:
        await socket.send(data)
        assert await socket.closed() == (4400, "Messages are text, not binary")

    @pytest.mark.parametrize(("text", "reason"), NO_MESSAGES)
    async def test_what_is_no_message_closes(
        self, text: str, reason: str, stranger: Stranger
    ) -> None:
        async with acknowledged(stranger, MODERN) as socket:
            await socket.send(text)
            assert await socket.closed() == (4400, reason)

    @pytest.mark.parametrize(("text", "reason"), NO_MESSAGES)
    async def test_in_the_legacy_dialect_it_is_answered(
        self, text: str, reason: str, stranger: Stranger
    ) -> None:
        async with acknowledged(stranger, LEGACY) as socket:
            await socket.send(text)
            answer = {"type": "connection_error", "payload": {"message": reason}}
            assert await socket.receive() == answer
            await is_served(socket)

    @pytest.mark.parametrize("kind", UNKNOWN_TYPES)
    async def test_an_unknown_type_closes(self, kind: Any, stranger: Stranger) -> None:
        async with acknowledged(stranger, MODERN) as socket:
            await socket.send({"id": "1", "type": kind})
            assert await socket.closed() == (4400, f"Invalid message type {kind!r:.60}")

    @pytest.mark.parametrize("kind", [*UNKNOWN_TYPES, "subscribe"])
    async def test_in_the_legacy_dialect_an_unknown_type_is_answered(
        self, kind: Any, stranger: Stranger
    ) -> None:
        async with acknowledged(stranger, LEGACY) as socket:
            await socket.send({"id": "1", "type": kind})
            payload = {"message": "Invalid message type!"}
            assert await socket.receive() == {"id": "1", "type": "error", "payload": payload}
            await is_served(socket)

    @pytest.mark.parametrize(("fields", "fault"), BAD_OPERATIONS)
    async def test_an_operation_that_is_none_closes(
        self, fields: Any, fault: str, stranger: Stranger
    ) -> None:
        async with acknowledged(stranger, MODERN) as socket:
            await socket.send({"type": "subscribe", **fields})
            assert await socket.closed() == (4400, f"Invalid subscribe message: {fault}")

    @pytest.mark.parametrize(("fields", "fault"), BAD_OPERATIONS)
    async def test_in_the_legacy_dialect_an_operation_that_is_none_is_answered(
        self, fields: Any, fault: str, stranger: Stranger
    ) -> None:
        async with acknowledged(stranger, LEGACY) as socket:
            await socket.send({"type": "start", **fields})
            answer = await socket.receive()
            assert answer["type"] == "error"
            assert answer["payload"] == {"message": f"Invalid start message: {fault}"}
            await is_served(socket)


class TestBadDocuments:
    @pytest.mark.parametrize(
        "query",
        ["", " ", "{", "}", "\0", "{ quick", "query ($x: ) { quick }", "# only a comment", "😀"],
    )
    async def test_what_does_not_parse_gets_an_error(
        self, query: str, client: GraphQLClient
    ) -> None:
        with pytest.raises(OperationError) as caught:
            await client.query(query)
        assert caught.value.data is None
        assert len(caught.value.errors) == 1
        assert caught.value.codes == ["GRAPHQL_PARSE_FAILED" if query else "BAD_REQUEST"]
        assert await client.query("{ quick }") == DONE

    @pytest.mark.parametrize(
        "query",
        [
            nested("{a", "}", 600),
            "{ remember(word: " + nested("[", "]", 600) + ") }",
            "query ($x: " + nested("[", "]", 600) + ") { quick }",
        ],
        ids=["selections", "values", "types"],
    )
    async def test_what_is_nested_too_deeply_gets_an_error(
        self, query: str, client: GraphQLClient
    ) -> None:
        with pytest.raises(OperationError) as caught:
            await client.query(query)
        assert caught.value.codes == ["DOCUMENT_TOO_DEEP"]
        assert await client.query("{ quick }") == DONE


async def is_served(socket: Socket) -> None:
    await socket.send({"id": "9", "type": "start", "payload": {"query": "{ quick }"}})
    assert (await socket.receive())["payload"] == {"data": DONE}
