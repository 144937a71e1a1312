"""Results that are too large, over every transport."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from ariadne import MutationType, QueryType, ScalarType, SubscriptionType, make_executable_schema
from ariadne.asgi import GraphQL

from realtime.asgi import graphql_app
from realtime.testing import GraphQLClient, OperationError
from realtime.transports.http import HTTPHandler
from realtime.transports.websocket import WebSocketHandler
from tests.realtime.every_transport import STREAMING, TRANSPORTS, Operate

LIMIT = 1_000

TYPE_DEFS = """
scalar JSON
type Query {
  text(size: Int!, character: String = "x"): String
  texts(count: Int!, size: Int!): [String]
  numbers(count: Int!): [Int!]!
  json(size: Int!): JSON
  later(size: Int!): String
}
type Mutation { text(size: Int!): String }
type Subscription { sizes: String }
"""


class Schema:
    """Answers as large as they are asked for; it counts the fields that were resolved."""

    def __init__(self) -> None:
        self.resolved = 0
        query, mutation, subscription = QueryType(), MutationType(), SubscriptionType()

        @query.field("text")
        @mutation.field("text")
        def text(*_: Any, size: int, character: str = "x") -> str:
            self.resolved += 1
            return character * size

        @query.field("texts")
        def texts(*_: Any, count: int, size: int) -> list[str]:
            return ["x" * size] * count

        @query.field("numbers")
        def numbers(*_: Any, count: int) -> list[int]:
            return [0] * count

        @query.field("json")
        def json(*_: Any, size: int) -> dict[str, str]:
            return {"key": "x" * size}

        @query.field("later")
        async def later(*_: Any, size: int) -> str:
            return "x" * size

        @subscription.source("sizes")
        async def sizes(*_: Any) -> AsyncGenerator[int, None]:
            for size in (1, 2 * LIMIT, 2):
                yield size

        @subscription.field("sizes")
        def resolve_sizes(size: int, *_: Any) -> str:
            return "x" * size

        kinds = query, mutation, subscription, ScalarType("JSON")
        self.executable = make_executable_schema(TYPE_DEFS, *kinds)
        self.app = graphql_app(self.executable)


@pytest.fixture(autouse=True)
def _small(realtime_settings: Callable[..., None]) -> None:
    realtime_settings(MAX_RESULT_SIZE=LIMIT)


@pytest.fixture
def schema() -> Schema:
    return Schema()


def is_too_large(result: dict[str, Any]) -> bool:
    assert not result.get("data")
    return [error["extensions"] for error in result["errors"]] == [
        {"code": "RESULT_TOO_LARGE", "limit": LIMIT}
    ]


@pytest.mark.parametrize("transport", TRANSPORTS)
class TestEveryTransport:
    async def test_a_large_result_is_an_error(self, transport: str, schema: Schema) -> None:
        assert is_too_large(
            await TRANSPORTS[transport](schema.app, {"query": "{ text(size: 2000) }"})
        )

    async def test_an_ordinary_one_is_sent(self, transport: str, schema: Schema) -> None:
        result = await TRANSPORTS[transport](schema.app, {"query": "{ text(size: 900) }"})
        assert result == {"data": {"text": "x" * 900}}

    async def test_what_only_the_encoding_tells(self, transport: str, schema: Schema) -> None:
        query = {"query": "{ numbers(count: 600) }"}
        assert is_too_large(await TRANSPORTS[transport](schema.app, query))

    async def test_under_executors_that_do_not_count(self, transport: str, schema: Schema) -> None:
        app = GraphQL(
            schema.executable, http_handler=HTTPHandler(), websocket_handler=WebSocketHandler()
        )
        assert is_too_large(await TRANSPORTS[transport](app, {"query": "{ text(size: 2000) }"}))


@pytest.mark.parametrize(
    "query",
    [
        "{ texts(count: 5, size: 300) }",
        "{ json(size: 2000) }",
        "{ later(size: 2000) }",
        "{ a: later(size: 600) b: later(size: 600) }",
        "mutation { text(size: 2000) }",
        r'{ text(size: 300, character: "\u0001") }',
    ],
)
async def test_whatever_it_is_made_of(query: str, schema: Schema) -> None:
    assert is_too_large(await TRANSPORTS["POST"](schema.app, {"query": query}))


async def test_execution_stops_when_it_is_too_large(schema: Schema) -> None:
    aliases = " ".join(f"a{number}: text(size: 600)" for number in range(10))
    assert is_too_large(await TRANSPORTS["POST"](schema.app, {"query": f"{{ {aliases} }}"}))
    assert schema.resolved == 2


async def test_an_event_that_is_too_large_is_an_error_in_its_place(
    schema: Schema, subprotocol: str
) -> None:
    async with GraphQLClient(schema.app, subprotocol=subprotocol) as client:
        results = await client.subscribe("subscription { sizes }", confirm=False)
        assert await results.receive() == {"sizes": "x"}
        with pytest.raises(OperationError, match="more than 1,000 bytes"):
            await results.receive()
        assert await results.receive() == {"sizes": "xx"}
        await results.completed()


@pytest.mark.parametrize("transport", STREAMING)
async def test_subscriptions_begin_over(transport: str, schema: Schema) -> None:
    operate: Operate = TRANSPORTS[transport]
    assert await operate(schema.app, {"query": "subscription { sizes }"}) == {
        "data": {"sizes": "x"}
    }
