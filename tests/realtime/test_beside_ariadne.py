"""Our handler beside Ariadne's own: the same schema, the same messages of the client.

Where they differ, each test says what Ariadne's does instead, and why ours does not.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLTransportWSHandler, GraphQLWSHandler
from ariadne.exceptions import WebSocketConnectionError

from realtime.errors import muted
from realtime.testing import Socket
from realtime.transports.websocket import WebSocketHandler
from tests.realtime.stranger import Stranger

MODERN, LEGACY = "graphql-transport-ws", "graphql-ws"

OURS, THEIRS = "ours", "Ariadne's"

Messages = list[dict[str, Any]]

COMPLETE = {"id": "1", "type": "complete"}


def connection(stranger: Stranger, subprotocol: str, whose: str, **options: Any) -> Socket:
    handlers: dict[str, Any] = {MODERN: GraphQLTransportWSHandler, LEGACY: GraphQLWSHandler}
    handler = WebSocketHandler if whose == OURS else handlers[subprotocol]
    app = GraphQL(stranger.schema, websocket_handler=handler(**options), logger=muted)
    return Socket(app, subprotocols=[subprotocol])


@asynccontextmanager
async def acknowledged(
    stranger: Stranger, subprotocol: str, whose: str, **options: Any
) -> AsyncIterator[Socket]:
    async with connection(stranger, subprotocol, whose, **options) as socket:
        await socket.send({"type": "connection_init"})
        assert await socket.receive() == {"type": "connection_ack"}
        if (subprotocol, whose) == (LEGACY, OURS):
            assert await socket.receive() == {"type": "ka"}
        yield socket


def start(subprotocol: str, query: str, *, id: str = "1", **parameters: Any) -> dict[str, Any]:
    kind = "subscribe" if subprotocol == MODERN else "start"
    return {"id": id, "type": kind, "payload": {"query": query, **parameters}}


def result(subprotocol: str, payload: Any) -> dict[str, Any]:
    return {"id": "1", "type": "next" if subprotocol == MODERN else "data", "payload": payload}


async def transcript(
    stranger: Stranger, subprotocol: str, whose: str, query: str, count: int, **parameters: Any
) -> Messages:
    """Return so many messages as the answer to an operation, and see that it has no more."""
    async with acknowledged(stranger, subprotocol, whose) as socket:
        await socket.send(start(subprotocol, query, **parameters))
        answer = [await socket.receive() for _ in range(count)]
        await socket.send(start(subprotocol, "{ quick }", id="after"))
        assert (await socket.receive())["id"] == "after"
        return answer


@pytest.mark.parametrize("whose", [OURS, THEIRS])
class TestWhereTheyAgree:
    @pytest.mark.parametrize("parameters", [{}, {"operationName": "A", "variables": {"x": 1}}])
    async def test_the_results_of_a_subscription(
        self, parameters: Any, whose: str, subprotocol: str, stranger: Stranger
    ) -> None:
        query = "subscription A { three }"
        assert await transcript(stranger, subprotocol, whose, query, 4, **parameters) == [
            *(result(subprotocol, {"data": {"three": number}}) for number in (1, 2, 3)),
            COMPLETE,
        ]

    async def test_a_result_with_errors(self, whose: str, stranger: Stranger) -> None:
        [answer, end] = await transcript(stranger, MODERN, whose, "{ quick broken }", 2)
        error = {
            "message": "'a secret'",
            "locations": [{"line": 1, "column": 9}],
            "path": ["broken"],
        }
        payload = {"data": {"quick": "done", "broken": None}, "errors": [error]}
        assert (answer, end) == (result(MODERN, payload), COMPLETE)

    @pytest.mark.parametrize(
        "query",
        [
            "{",
            "{ unknown }",
            "subscription { unknown }",
            "query ($x: Boolean!) { quick @skip(if: $x) }",
        ],
    )
    async def test_what_cannot_run(self, query: str, whose: str, stranger: Stranger) -> None:
        [answer] = await transcript(stranger, MODERN, whose, query, 1)
        assert (answer["id"], answer["type"]) == ("1", "error")
        assert [{*error} for error in answer["payload"]] == [{"message", "locations"}]

    async def test_the_order_of_each_of_several(self, whose: str, stranger: Stranger) -> None:
        async with acknowledged(stranger, MODERN, whose) as socket:
            for id in "abc":
                await socket.send(start(MODERN, "subscription { three }", id=id))
            found: dict[str, list[Any]] = defaultdict(list)
            for _ in range(12):
                message = await socket.receive()
                found[message["id"]].append(message.get("payload"))
        one = [*({"data": {"three": number}} for number in (1, 2, 3)), None]
        assert found == {"a": one, "b": one, "c": one}

    async def test_what_is_stopped_says_nothing_more(self, whose: str, stranger: Stranger) -> None:
        async with acknowledged(stranger, MODERN, whose) as socket:
            await socket.send(start(MODERN, "subscription { endless }"))
            assert await socket.receive() == result(MODERN, {"data": {"endless": 1}})
            await socket.send({"id": "1", "type": "complete"})
            await stranger.has("endless ended")
            await socket.send({"type": "ping"})
            assert await socket.receive() == {"type": "pong"}


class TestWhereTheyDiffer:
    async def test_data_that_is_null(self, subprotocol: str, stranger: Stranger) -> None:
        """A result has `data`, null too, where the operation was executed."""
        query = "subscription { odd }"
        ours = await transcript(stranger, subprotocol, OURS, query, 4)
        theirs = await transcript(stranger, subprotocol, THEIRS, query, 4)
        assert ours[1]["payload"].pop("data", "dropped") is None
        assert theirs == ours
        assert [error["message"] for error in ours[1]["payload"]["errors"]] == ["Not odd"]

    async def test_a_refusal(self, subprotocol: str, stranger: Stranger) -> None:
        """On 1000 a client does not know that it was refused, nor why."""

        def refuse(*_: Any) -> None:
            raise WebSocketConnectionError("Token expired")

        closes = {}
        for whose in (OURS, THEIRS):
            async with connection(stranger, subprotocol, whose, on_connect=refuse) as socket:
                await socket.send({"type": "connection_init"})
                if subprotocol == LEGACY:
                    reason = {"message": "Token expired"}
                    assert await socket.receive() == {"type": "connection_error", "payload": reason}
                closes[whose] = await socket.closed()
        assert closes == {OURS: (4403, "Token expired"), THEIRS: (1000, "")}

    async def test_a_slow_query(self, stranger: Stranger) -> None:
        """In the receive loop it holds up every other message of its client."""
        for whose in (OURS, THEIRS):
            async with acknowledged(stranger, MODERN, whose) as socket:
                await socket.send(start(MODERN, "{ slow }"))
                await stranger.has("slow started")
                await socket.send({"type": "ping"})
                if whose == OURS:
                    assert await socket.receive() == {"type": "pong"}
                else:
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(0.05):
                            await socket.receive()
                stranger.release.set()
                await stranger.has("slow ended")
                stranger.release.clear()

    async def test_a_stream_that_breaks(self, subprotocol: str, stranger: Stranger) -> None:
        """In the current dialect an `error` ends an operation; the legacy one has results alone."""
        query, errors = "subscription { breaking }", [{"message": "'a secret'"}]
        first, broken = ({"data": {"breaking": 1}}, {"errors": errors})
        ours = await transcript(stranger, subprotocol, OURS, query, 3 - (subprotocol == MODERN))
        theirs = await transcript(stranger, subprotocol, THEIRS, query, 3)
        expected = [result(subprotocol, first), result(subprotocol, broken), COMPLETE]
        assert theirs == expected
        if subprotocol == MODERN:
            expected[1:] = [{"id": "1", "type": "error", "payload": errors}]
        assert ours == expected

    async def test_a_legacy_query(self, stranger: Stranger) -> None:
        """The reference completes it; without, a client holds it for running."""
        answer = result(LEGACY, {"data": {"quick": "done"}})
        assert await transcript(stranger, LEGACY, OURS, "{ quick }", 2) == [answer, COMPLETE]
        assert await transcript(stranger, LEGACY, THEIRS, "{ quick }", 1) == [answer]

    @pytest.mark.parametrize("query", ["{", "subscription { unknown }"])
    async def test_what_cannot_run_in_the_legacy_dialect(
        self, query: str, stranger: Stranger
    ) -> None:
        """The reference gives all errors, as those of a result, and completes."""
        [theirs] = await transcript(stranger, LEGACY, THEIRS, query, 1)
        ours = await transcript(stranger, LEGACY, OURS, query, 2)
        assert (theirs["type"], "message" in theirs["payload"]) == ("error", True)
        assert ours == [result(LEGACY, {"errors": [theirs["payload"]]}), COMPLETE]

    async def test_an_unknown_name_of_an_operation(
        self, subprotocol: str, stranger: Stranger
    ) -> None:
        """It is an error of this operation; an exception ends the whole connection."""
        async with acknowledged(stranger, subprotocol, OURS) as ours:
            await ours.send(start(subprotocol, "query A { quick }", operationName="B"))
            answer = json.dumps(await ours.receive())
            assert "Unknown operation named 'B'." in answer
        with pytest.raises(RuntimeError, match="Can't get GraphQL operation type"):
            await transcript(
                stranger, subprotocol, THEIRS, "query A { quick }", 1, operationName="B"
            )

    @pytest.mark.parametrize("text", ["{", "[]"])
    async def test_what_is_no_message(self, text: str, stranger: Stranger) -> None:
        """An exception in the handler is an error of the server's, 1011: clients give up."""
        async with acknowledged(stranger, MODERN, OURS) as ours:
            await ours.send(text)
            assert (await ours.closed())[0] == 4400
        with pytest.raises((json.JSONDecodeError, AttributeError)):
            async with acknowledged(stranger, MODERN, THEIRS) as theirs:
                await theirs.send(text)
                await theirs.closed()
