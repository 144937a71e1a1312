"""The dialects that are spoken, best first."""

from collections.abc import Collection

from realtime.protocols.graphql_transport_ws import GraphQLTransportWS
from realtime.protocols.server import ServerProtocol
from realtime.protocols.subscriptions_transport_ws import SubscriptionsTransportWS

DIALECTS: tuple[type[ServerProtocol], ...] = (GraphQLTransportWS, SubscriptionsTransportWS)


def negotiate(offered: Collection[str]) -> type[ServerProtocol] | None:
    """Return the dialect for a client that offers these subprotocols."""
    return next((dialect for dialect in DIALECTS if dialect.SUBPROTOCOL in offered), None)
