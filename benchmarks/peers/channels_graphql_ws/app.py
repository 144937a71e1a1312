"""DjangoChannelsGraphqlWs' consumer: a subscription class, whose payload has all."""

from typing import Any

import django

django.setup()

import channels_graphql_ws  # noqa: E402  (the apps must be ready)
import graphene  # noqa: E402
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.db import database_sync_to_async  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from benchmarks.fire import with_fire  # noqa: E402
from benchmarks.peers.shop import database  # noqa: E402


class User(graphene.ObjectType):
    """A person."""

    username = graphene.String(required=True)
    email = graphene.String(required=True)


class OrderChanged(channels_graphql_ws.Subscription):
    """All orders; its fields are the order's."""

    date = graphene.String(required=True)
    state = graphene.String(required=True)
    user = graphene.Field(User)

    @staticmethod
    def subscribe(*_: Any) -> list[str]:
        """Name the group."""
        return ["orders"]

    @staticmethod
    async def publish(payload: dict[str, Any], *_: Any) -> "OrderChanged":
        """Show the payload; async, which the documentation calls the fast way."""
        return OrderChanged(**payload)


class Query(graphene.ObjectType):
    """What can be read."""

    hello = graphene.String(required=True)


class Subscription(graphene.ObjectType):
    """What can be followed."""

    get_order = OrderChanged.Field()


class Consumer(channels_graphql_ws.GraphqlWsConsumer):
    """The consumer, without the watch that warns of slow operations."""

    schema = graphene.Schema(query=Query, subscription=Subscription)
    warn_operation_timeout = None


async def fire(date: str) -> int:
    """Change the order, and tell."""
    committed = await database_sync_to_async(database.change_order)(date)
    row = await database_sync_to_async(database.order_with_user)(1)
    await OrderChanged.broadcast_async(group="orders", payload=database.order_fields(row))
    return committed


websocket = AuthMiddlewareStack(URLRouter([path("graphql/", Consumer.as_asgi())]))
application = with_fire(ProtocolTypeRouter({"websocket": websocket}), fire)
