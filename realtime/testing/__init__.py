"""For the tests of projects that use `realtime`: a GraphQL client without a server."""

from realtime.testing.client import GraphQLClient
from realtime.testing.errors import CompletedError, ConnectionClosedError, OperationError
from realtime.testing.socket import Socket
from realtime.testing.subscription import Subscription

__all__ = [
    "CompletedError",
    "ConnectionClosedError",
    "GraphQLClient",
    "OperationError",
    "Socket",
    "Subscription",
]
