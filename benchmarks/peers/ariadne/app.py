"""Ariadne's own WebSocket handler; each source is woken by the channel layer and asks the ORM."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import django

django.setup()

from ariadne import (  # noqa: E402  (the apps must be ready)
    MutationType,
    ObjectType,
    QueryType,
    SubscriptionType,
    load_schema_from_path,
    make_executable_schema,
)
from ariadne.asgi import GraphQL  # noqa: E402
from ariadne.asgi.handlers import GraphQLTransportWSHandler  # noqa: E402
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.db import database_sync_to_async  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from benchmarks.fire import with_fire  # noqa: E402
from benchmarks.peers.shop import database  # noqa: E402
from benchmarks.peers.shop.models import Message, Order  # noqa: E402

query, mutation, subscription = QueryType(), MutationType(), SubscriptionType()
order, user, message = ObjectType("Order"), ObjectType("User"), ObjectType("Message")
order.set_field("date", lambda order, _: order.date.isoformat())
user.set_alias("userId", "id")
message.set_field("createdAt", lambda message, _: message.created_at.isoformat())


@query.field("hello")
def resolve_hello(*_: Any) -> str:
    return "Hello"


@query.field("getOrders")
async def resolve_orders(*_: Any) -> list[Order]:
    return await database_sync_to_async(database.orders)()


@query.field("messages")
async def resolve_messages(*_: Any, user_id: str) -> dict[str, Any]:
    messages = await database_sync_to_async(database.messages_of)(int(user_id))
    return {"success": True, "messages": messages}


@mutation.field("createMessage")
async def resolve_create_message(*_: Any, **given: str) -> dict[str, Any]:
    sent = await database_sync_to_async(database.create_message)(**given)
    if sent is None:
        return {"success": False, "errors": ["There is no such user"]}
    ring = {"type": "message", "id": sent.pk}
    await get_channel_layer().group_send(f"inbox.{sent.recipient_id}", ring)
    return {"success": True, "message": sent}


async def rung(group: str) -> AsyncGenerator[int, None]:
    """Yield the ids that are sent to a group."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    try:
        while True:
            yield (await layer.receive(channel))["id"]
    finally:
        await layer.group_discard(group, channel)


@subscription.source("getOrder")
async def order_source(*_: Any) -> AsyncGenerator[Order, None]:
    async for pk in rung("orders"):
        yield await database_sync_to_async(database.order_with_user)(pk)


@subscription.source("messages")
async def message_source(*_: Any, user_id: str) -> AsyncGenerator[Message, None]:
    async for pk in rung(f"inbox.{user_id}"):
        yield await database_sync_to_async(database.message)(pk)


@subscription.field("getOrder")
def resolve_order(order: Order, _: Any) -> Order:
    return order


@subscription.field("messages")
def resolve_message(message: Message, *_: Any, **__: Any) -> Message:
    return message


async def fire(date: str) -> int:
    """Change the order, and ring."""
    committed = await database_sync_to_async(database.change_order)(date)
    await get_channel_layer().group_send("orders", {"type": "order", "id": 1})
    return committed


schema = make_executable_schema(
    load_schema_from_path(Path(__file__).parents[1] / "schema.graphql"),
    *(query, mutation, subscription, order, user, message),
    convert_names_case=True,
)
graphql = GraphQL(schema, websocket_handler=GraphQLTransportWSHandler())
routes = AuthMiddlewareStack(URLRouter([path("graphql/", graphql)]))
application = with_fire(ProtocolTypeRouter({"http": routes, "websocket": routes}), fire)
