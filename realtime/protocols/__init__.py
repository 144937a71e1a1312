"""The GraphQL WebSocket protocols as state machines without I/O; standard library alone.

`GraphQLWSProtocol` drives them over anyone's socket, and imports anyio when it is asked for.
"""

from typing import TYPE_CHECKING

from realtime.protocols.close_codes import Close, CloseCode
from realtime.protocols.graphql_transport_ws import GraphQLTransportWS
from realtime.protocols.registry import DIALECTS, negotiate
from realtime.protocols.subscriptions_transport_ws import SubscriptionsTransportWS

if TYPE_CHECKING:
    from realtime.protocols.driver import GraphQLWSProtocol

__all__ = [
    "DIALECTS",
    "Close",
    "CloseCode",
    "GraphQLTransportWS",
    "GraphQLWSProtocol",
    "SubscriptionsTransportWS",
    "negotiate",
]


def __getattr__(name: str) -> object:
    if name == "GraphQLWSProtocol":
        from realtime.protocols.driver import GraphQLWSProtocol

        return GraphQLWSProtocol
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
