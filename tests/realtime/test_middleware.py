"""What Ariadne's `middleware=` and `extensions=` wrap, as docs/protocols.md says."""

from typing import Any

import pytest
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import (
    GraphQLHTTPHandler,
    GraphQLTransportWSHandler,
    GraphQLWSHandler,
)
from ariadne.types import Extension

from realtime.asgi import graphql_app
from realtime.transports.http import HTTPHandler
from tests.realtime.every_transport import STREAMING, TRANSPORTS
from tests.realtime.stranger import Stranger

THREE = {"query": "subscription { three }"}

SOCKETS: dict[str, Any] = {
    "graphql-transport-ws": GraphQLTransportWSHandler,
    "graphql-ws": GraphQLWSHandler,
}


class Witness:
    """A middleware and an extension, and which fields they have wrapped."""

    def __init__(self) -> None:
        self.fields: list[str] = []
        fields = self.fields

        class Watching(Extension):
            def resolve(self, next_: Any, obj: Any, info: Any, **arguments: Any) -> Any:
                fields.append(f"extension {info.field_name}")
                return next_(obj, info, **arguments)

        def middleware(next_: Any, obj: Any, info: Any, **arguments: Any) -> Any:
            fields.append(f"middleware {info.field_name}")
            return next_(obj, info, **arguments)

        self.options: Any = {"middleware": [middleware], "extensions": [Watching]}


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_resolvers_of_queries_are_wrapped(
    transport: str, witness: Witness, stranger: Stranger
) -> None:
    app = graphql_app(stranger.schema, http_handler=HTTPHandler(**witness.options))
    await TRANSPORTS[transport](app, {"query": "{ quick }"})
    assert sorted(witness.fields) == ["extension quick", "middleware quick"]


@pytest.mark.parametrize("transport", STREAMING)
async def test_resolvers_of_events_are_not_wrapped(
    transport: str, witness: Witness, stranger: Stranger
) -> None:
    app = graphql_app(stranger.schema, http_handler=HTTPHandler(**witness.options))
    assert await TRANSPORTS[transport](app, THREE) == {"data": {"three": 1}}
    assert witness.fields == []


@pytest.mark.parametrize("subprotocol", SOCKETS)
async def test_ariadne_itself_does_not_wrap_resolvers_of_events(
    subprotocol: str, witness: Witness, stranger: Stranger
) -> None:
    app = GraphQL(
        stranger.schema,
        http_handler=GraphQLHTTPHandler(**witness.options),
        websocket_handler=SOCKETS[subprotocol](),
    )
    assert await TRANSPORTS[subprotocol](app, THREE) == {"data": {"three": 1}}
    assert witness.fields == []
