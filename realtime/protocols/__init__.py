"""The GraphQL WebSocket protocols as state machines without I/O; standard library alone.

`GraphQLConnection` and `GraphQLWSProtocol` drive them over anyone's socket, and import anyio
when they are asked for.
"""

from typing import TYPE_CHECKING

from realtime.protocols.close_codes import Close, CloseCode
from realtime.protocols.graphql_transport_ws import GraphQLTransportWS
from realtime.protocols.registry import DIALECTS, negotiate
from realtime.protocols.subscriptions_transport_ws import SubscriptionsTransportWS

if TYPE_CHECKING:
    from realtime.protocols.connection import GraphQLConnection
    from realtime.protocols.drop_in import GraphQLWSProtocol

__all__ = [
    "DIALECTS",
    "Close",
    "CloseCode",
    "GraphQLConnection",
    "GraphQLTransportWS",
    "GraphQLWSProtocol",
    "SubscriptionsTransportWS",
    "negotiate",
]


def __getattr__(name: str) -> object:
    if name == "GraphQLConnection":
        from realtime.protocols.connection import GraphQLConnection

        return GraphQLConnection
    if name == "GraphQLWSProtocol":
        from realtime.protocols.drop_in import GraphQLWSProtocol

        return GraphQLWSProtocol
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
