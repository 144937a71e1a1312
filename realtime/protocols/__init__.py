"""The GraphQL WebSocket protocols as state machines without I/O; standard library alone."""

from realtime.protocols.close_codes import Close, CloseCode
from realtime.protocols.graphql_transport_ws import GraphQLTransportWS
from realtime.protocols.registry import DIALECTS, negotiate
from realtime.protocols.subscriptions_transport_ws import SubscriptionsTransportWS

__all__ = [
    "DIALECTS",
    "Close",
    "CloseCode",
    "GraphQLTransportWS",
    "SubscriptionsTransportWS",
    "negotiate",
]
