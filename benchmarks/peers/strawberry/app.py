"""Strawberry's consumers; a subscription listens to the channel layer, whose message has all."""

import datetime
from collections.abc import AsyncGenerator

import django

django.setup()

import strawberry  # noqa: E402  (the apps must be ready)
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.db import database_sync_to_async  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402
from strawberry.channels import GraphQLHTTPConsumer, GraphQLWSConsumer  # noqa: E402
from strawberry.extensions import ParserCache, ValidationCache  # noqa: E402

from benchmarks.fire import with_fire  # noqa: E402
from benchmarks.peers.shop import database, models  # noqa: E402


@strawberry.type
class User:
    """A person."""

    username: str
    email: str


@strawberry.type
class Order:
    """What a user ordered."""

    date: datetime.date
    state: str
    user: User


@strawberry.type
class Message:
    """A direct message."""

    content: str
    sender_id: strawberry.ID
    recipient_id: strawberry.ID


@strawberry.type
class MessagesResult:
    """Messages, or why there are none."""

    success: bool
    errors: list[str] | None = None
    messages: list[Message] | None = None


@strawberry.type
class CreateMessageResult:
    """The message, or why there is none."""

    success: bool
    errors: list[str] | None = None
    message: Message | None = None


def as_order(order: models.Order) -> Order:
    """Return the GraphQL object of a row."""
    user = User(username=order.user.username, email=order.user.email)
    return Order(date=order.date, state=order.state, user=user)


def as_message(message: models.Message) -> Message:
    """Return the GraphQL object of a row."""
    return Message(
        content=message.content,
        sender_id=strawberry.ID(str(message.sender_id)),
        recipient_id=strawberry.ID(str(message.recipient_id)),
    )


@strawberry.type
class Query:
    """What can be read."""

    @strawberry.field
    def hello(self) -> str:
        """Greet."""
        return "Hello"

    @strawberry.field
    async def get_orders(self) -> list[Order]:
        """Return all orders."""
        return [as_order(row) for row in await database_sync_to_async(database.orders)()]

    @strawberry.field
    async def messages(self, user_id: str) -> MessagesResult:
        """Return what a user sent or received."""
        rows = await database_sync_to_async(database.messages_of)(int(user_id))
        return MessagesResult(success=True, messages=[as_message(row) for row in rows])


@strawberry.type
class Mutation:
    """What can be written."""

    @strawberry.mutation
    async def create_message(
        self, sender_id: str, recipient_id: str, content: str
    ) -> CreateMessageResult:
        """Send a message."""
        create = database_sync_to_async(database.create_message)
        sent = await create(sender_id, recipient_id, content)
        if sent is None:
            return CreateMessageResult(success=False, errors=["There is no such user"])
        news = {"type": "message.created", **database.message_fields(sent)}
        await get_channel_layer().group_send(f"inbox.{recipient_id}", news)
        return CreateMessageResult(success=True, message=as_message(sent))


@strawberry.type
class Subscription:
    """What can be followed."""

    @strawberry.subscription
    async def get_order(self, info: strawberry.Info) -> AsyncGenerator[Order, None]:
        """Follow all orders."""
        consumer = info.context["ws"]
        async with consumer.listen_to_channel("order.changed", groups=["orders"]) as news:
            async for message in news:
                date, user = datetime.date.fromisoformat(message["date"]), User(**message["user"])
                yield Order(date=date, state=message["state"], user=user)

    @strawberry.subscription
    async def messages(self, info: strawberry.Info, user_id: str) -> AsyncGenerator[Message, None]:
        """Follow an inbox."""
        consumer, group = info.context["ws"], f"inbox.{user_id}"
        async with consumer.listen_to_channel("message.created", groups=[group]) as news:
            async for message in news:
                yield Message(
                    content=message["content"],
                    sender_id=message["senderId"],
                    recipient_id=message["recipientId"],
                )


async def fire(date: str) -> int:
    """Change the order, and tell."""
    committed = await database_sync_to_async(database.change_order)(date)
    row = await database_sync_to_async(database.order_with_user)(1)
    news = {"type": "order.changed", **database.order_fields(row)}
    await get_channel_layer().group_send("orders", news)
    return committed


schema = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    extensions=[lambda: ParserCache(maxsize=100), lambda: ValidationCache(maxsize=100)],
)
consumers = {
    "http": GraphQLHTTPConsumer.as_asgi(schema=schema),
    "websocket": GraphQLWSConsumer.as_asgi(schema=schema),
}
routes = {
    kind: AuthMiddlewareStack(URLRouter([path("graphql/", consumer)]))
    for kind, consumer in consumers.items()
}
application = with_fire(ProtocolTypeRouter(routes), fire)
