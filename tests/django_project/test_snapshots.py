"""Lists with a cursor: to query, then to subscribe after it, misses nothing."""

from typing import Any

import pytest

from accounts.models import User
from messaging.models import Message
from messaging.services import write_in_room
from orders.models import Order
from realtime.database import in_database
from realtime.testing import GraphQLClient, OperationError


async def test_orders(graphql_client: GraphQLClient, users: tuple[User, User]) -> None:
    await in_database(Order.objects.create)(user=users[0], description="Before")
    query = "{ orders { cursor orders { description } } }"
    snapshot = (await graphql_client.query(query))["orders"]
    assert snapshot["orders"] == [{"description": "Before"}]
    await in_database(Order.objects.create)(user=users[1], description="Between")
    subscription = await graphql_client.subscribe(
        "subscription ($after: String) { getOrder(after: $after) { description } }",
        {"after": snapshot["cursor"]},
    )
    assert await subscription.receive() == {"getOrder": {"description": "Between"}}


async def test_messages(graphql_client: GraphQLClient, users: tuple[User, User]) -> None:
    one, two = users
    create: Any = in_database(Message.objects.create)
    await create(sender=one, recipient=two, content="Before")
    query = "query ($id: String!) { messages(userId: $id) { cursor messages { content } } }"
    snapshot = (await graphql_client.query(query, {"id": str(two.pk)}))["messages"]
    assert snapshot["messages"] == [{"content": "Before"}]
    await create(sender=one, recipient=two, content="Between")
    subscription = await graphql_client.subscribe(
        """subscription ($id: String!, $after: String) {
            messages(userId: $id, after: $after) { content } }""",
        {"id": str(two.pk), "after": snapshot["cursor"]},
    )
    assert await subscription.receive() == {"messages": {"content": "Between"}}


async def test_rooms(graphql_client: GraphQLClient) -> None:
    write: Any = in_database(write_in_room)
    await write(sender=None, room="kittens", text="Before")
    query = '{ roomMessages(chatroom: "kittens") { cursor messages { text } } }'
    snapshot = (await graphql_client.query(query))["roomMessages"]
    assert snapshot["messages"] == [{"text": "Before"}]
    await write(sender=None, room="kittens", text="Between")
    subscription = await graphql_client.subscribe(
        'subscription { onNewChatMessage(chatroom: "kittens") { text } }',
        after=snapshot["cursor"],
    )
    assert await subscription.receive() == {"onNewChatMessage": {"text": "Between"}}


@pytest.mark.parametrize("room", ["", "a\0b", "x" * 1000])
async def test_an_impossible_room_has_none(room: str, graphql_client: GraphQLClient) -> None:
    query = "query ($room: String!) { roomMessages(chatroom: $room) { cursor } }"
    with pytest.raises(OperationError) as caught:
        await graphql_client.query(query, {"room": room})
    assert caught.value.codes == ["BAD_USER_INPUT"]
