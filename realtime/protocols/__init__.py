"""The GraphQL WebSocket protocols as state machines without I/O; standard library alone."""

from realtime.protocols.close_codes import Close, CloseCode
from realtime.protocols.graphql_transport_ws import GraphQLTransportWS

__all__ = ["Close", "CloseCode", "GraphQLTransportWS"]
