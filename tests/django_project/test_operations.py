"""Every operation that the project promises, as written, with what it costs the database."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from django.db.models import QuerySet

from accounts.models import User
from messaging.models import Message, RoomMessage
from orders.models import Order
from realtime.broadcasts import broadcast
from realtime.database import in_database
from realtime.models import Event
from realtime.protocols.server import MAX_OPERATIONS
from realtime.testing import GraphQLClient, OperationError
from tests.django_project.conftest import Execute, post

NUL, HALF = "a\0b", "a\ud800b"
"""Texts that JSON can express, but no database can hold."""

HUGE = str(10**30)
BAD_IDS = ["abc", "", "0", "01", "-1", "1.5", "٣", HUGE, str(2**63)]


async def test_hello(execute: Execute, queries: list[str]) -> None:
    assert await execute("query { hello }") == {"hello": "Hello world!"}
    assert queries == []


class TestUsers:
    CREATE = """mutation { createUser(username: "user_one") {
        success errors user { userId username } } }"""

    async def test_create_user(self, execute: Execute, queries: list[str]) -> None:
        answer = await execute(self.CREATE)
        assert len(queries) == 3  # begin, is the name taken, insert
        user = await User.objects.aget()
        assert answer["createUser"] == {
            "success": True,
            "errors": None,
            "user": {"userId": str(user.pk), "username": "user_one"},
        }
        assert not user.has_usable_password()

    async def test_a_taken_name(self, execute: Execute, users: tuple[User, User]) -> None:
        assert (await execute(self.CREATE))["createUser"] == {
            "success": False,
            "errors": ["Username is taken"],
            "user": None,
        }

    @pytest.mark.parametrize("name", ["", "two words", "x" * 151, NUL])
    async def test_a_name_that_cannot_be_one(self, name: str, execute: Execute) -> None:
        query = "mutation Create($name: String!) { createUser(username: $name) { success errors } }"
        answer = (await execute(query, name=name))["createUser"]
        assert answer["success"] is False
        assert len(answer["errors"]) == 1
        assert not await User.objects.aexists()

    async def test_user_id(
        self, execute: Execute, users: tuple[User, User], queries: list[str]
    ) -> None:
        answer = await execute('query { userId(username: "user_one") }')
        assert answer == {"userId": str(users[0].pk)}
        assert len(queries) == 1

    @pytest.mark.parametrize("name", ["nobody", "", NUL])
    async def test_an_unknown_name_has_no_id(self, name: str, execute: Execute) -> None:
        query = "query Find($name: String!) { userId(username: $name) }"
        assert await execute(query, name=name) == {"userId": None}

    async def test_a_name_taken_in_the_same_moment(
        self, execute: Execute, users: tuple[User, User], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(QuerySet, "exists", lambda self: False)
        answer = await execute(self.CREATE)
        assert answer["createUser"]["errors"] == ["Username is taken"]


class TestMessages:
    CREATE = """mutation Create($from: String!, $to: String!, $content: String!) {
        createMessage(senderId: $from, recipientId: $to, content: $content) {
          success errors message { content recipientId senderId } } }"""

    async def test_create_message(
        self, execute: Execute, users: tuple[User, User], queries: list[str]
    ) -> None:
        one, two = (str(user.pk) for user in users)
        answer = await execute(self.CREATE, **{"from": one, "to": two, "content": "Hello there"})
        assert answer["createMessage"] == {
            "success": True,
            "errors": None,
            "message": {"content": "Hello there", "recipientId": two, "senderId": one},
        }
        assert len(queries) == 5  # begin, users, message, offset, event
        event = await Event.objects.aget()
        assert (event.topic_id, event.kind) == (f"inbox.{two}", "created")

    @pytest.mark.parametrize("bad", [*BAD_IDS, "999"])
    async def test_an_unknown_user(
        self, bad: str, execute: Execute, users: tuple[User, User]
    ) -> None:
        one = str(users[0].pk)
        for sender, recipient, role in ((bad, one, "sender"), (one, bad, "recipient")):
            answer = await execute(
                self.CREATE, **{"from": sender, "to": recipient, "content": "Hello"}
            )
            assert answer["createMessage"] == {
                "success": False,
                "errors": [f"There is no {role} {bad:.40}"],
                "message": None,
            }
        assert not await Message.objects.aexists()
        assert not await Event.objects.aexists()

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            ("", "The message is empty"),
            ("  \n", "The message is empty"),
            ("x" * 10_001, "The message is longer than 10,000 characters"),
            (NUL, "The message has characters that cannot be stored"),
        ],
    )
    async def test_content_that_cannot_be_sent(
        self, content: str, error: str, execute: Execute, users: tuple[User, User]
    ) -> None:
        one, two = (str(user.pk) for user in users)
        answer = await execute(self.CREATE, **{"from": one, "to": two, "content": content})
        assert answer["createMessage"]["errors"] == [error]
        assert not await Message.objects.aexists()

    async def test_messages_are_those_sent_or_received(
        self, execute: Execute, users: tuple[User, User], queries: list[str]
    ) -> None:
        one, two = users
        three = await User.objects.acreate(username="user_three")
        for sender, recipient in ((one, two), (two, one), (three, one)):
            await Message.objects.acreate(sender=sender, recipient=recipient, content="Hello")
        queries.clear()
        answer = await execute(
            "query Read($id: String!) { messages(userId: $id) { success errors messages { "
            "content senderId recipientId } } }",
            id=str(two.pk),
        )
        assert answer["messages"] == {
            "success": True,
            "errors": None,
            "messages": [
                {"content": "Hello", "senderId": str(one.pk), "recipientId": str(two.pk)},
                {"content": "Hello", "senderId": str(two.pk), "recipientId": str(one.pk)},
            ],
        }
        assert len(queries) == 2  # head of the topic, messages

    async def test_nobody_wrote_yet(self, execute: Execute, users: tuple[User, User]) -> None:
        query = (
            "query Read($id: String!) { messages(userId: $id) { success messages { content } } }"
        )
        answer = await execute(query, id=str(users[0].pk))
        assert answer["messages"] == {"success": True, "messages": []}

    @pytest.mark.parametrize("bad", [*BAD_IDS, "999"])
    async def test_messages_of_an_unknown_user(self, bad: str, execute: Execute) -> None:
        query = (
            "query Read($id: String!) { messages(userId: $id) { success errors messages { id } } }"
        )
        assert (await execute(query, id=bad))["messages"] == {
            "success": False,
            "errors": [f"There is no user {bad:.40}"],
            "messages": None,
        }

    async def test_subscribers_get_those_addressed_to_the_user(
        self, graphql_client: GraphQLClient, users: tuple[User, User], queries: list[str]
    ) -> None:
        one, two = users
        query = f'subscription {{ messages(userId: "{two.pk}") {{ content senderId }} }}'
        subscription = await graphql_client.subscribe(query)
        assert len(queries) == 3  # heads of the changes of rights and the topic, the user
        create = in_database(Message.objects.create)
        await create(sender=two, recipient=one, content="Not this")
        await create(sender=one, recipient=two, content="This")
        assert await subscription.receive() == {
            "messages": {"content": "This", "senderId": str(one.pk)}
        }

    @pytest.mark.parametrize("bad", [*BAD_IDS, "999"])
    async def test_an_unknown_user_has_no_subscription(
        self, bad: str, graphql_client: GraphQLClient
    ) -> None:
        query = f'subscription {{ messages(userId: "{bad}") {{ content }} }}'
        with pytest.raises(OperationError, match=f"There is no user {bad:.40}") as caught:
            await graphql_client.subscribe(query)
        assert caught.value.codes == ["BAD_USER_INPUT"]

    async def test_an_answer_with_half_a_surrogate_pair_is_sent(
        self, graphql_client: GraphQLClient
    ) -> None:
        query = "query Read($id: String!) { messages(userId: $id) { errors } }"
        answer = await graphql_client.query(query, {"id": HALF})
        assert answer["messages"]["errors"] == [f"There is no user {HALF}"]


class TestOrders:
    GET = "query { getOrders { date createdAt state user { username email } } }"

    @staticmethod
    def expected(order: Order) -> dict[str, Any]:
        return {
            "date": order.date.isoformat(),
            "createdAt": order.created_at.isoformat(),
            "state": order.state,
            "user": {"username": order.user.username, "email": order.user.email},
        }

    async def test_get_orders_is_one_query(
        self, execute: Execute, users: tuple[User, User], queries: list[str]
    ) -> None:
        orders = [await Order.objects.acreate(user=user) for user in users for _ in range(5)]
        queries.clear()
        answer = await execute(self.GET)
        assert answer["getOrders"] == [self.expected(order) for order in reversed(orders)]
        assert len(queries) == 1

    async def test_the_newest_order_comes_at_once_then_every_change(
        self, graphql_client: GraphQLClient, users: tuple[User, User], queries: list[str]
    ) -> None:
        await Order.objects.acreate(user=users[0])
        newest = await Order.objects.acreate(user=users[1])
        queries.clear()
        subscription = await graphql_client.subscribe(
            "subscription getLastOrder {"
            " getOrder { state date createdAt user { username email } } }"
        )
        assert await subscription.receive() == {"getOrder": self.expected(newest)}
        # Heads of the changes of rights and of the topic, the newest order, and the first again.
        assert len(queries) == 4
        await in_database(Order.objects.update)(state="PAID")
        states = [(await subscription.receive())["getOrder"] for _ in range(2)]
        assert [order["state"] for order in states] == ["PAID", "PAID"]

    @pytest.mark.parametrize("subscribers", [1, 1_000])
    async def test_an_event_costs_three_reads_whatever_the_number_of_subscribers(
        self,
        subscribers: int,
        graphql_application: Any,
        users: tuple[User, User],
        queries: list[str],
        settings: Any,
    ) -> None:
        settings.REALTIME = {**settings.REALTIME, "SWEEP_INTERVAL": 3600}
        order = await Order.objects.acreate(user=users[0])
        query = "subscription { getOrder { user { username } } }"
        async with AsyncExitStack() as stack:
            subscriptions = []
            for n in range(subscribers):
                if n % MAX_OPERATIONS == 0:
                    client = await stack.enter_async_context(GraphQLClient(graphql_application))
                subscriptions.append(await client.subscribe(query))
                await subscriptions[-1].receive()
            queries.clear()
            await in_database(order.save)()
            for subscription in subscriptions:
                await subscription.receive()
            statements = [sql.split()[0] for sql in queries]
        change = ["BEGIN", "SELECT", "UPDATE", "INSERT", "INSERT"]  # was, is, offsets, events
        hub = ["SELECT", "SELECT", "SELECT"]  # events, changes of rights, orders
        assert statements == change + hub

    async def test_a_deleted_order_is_told_with_what_it_was(
        self, graphql_client: GraphQLClient, users: tuple[User, User]
    ) -> None:
        order = await Order.objects.acreate(user=users[0], description="Thread")
        fields = "id deleted description date createdAt user { username }"
        subscription = await graphql_client.subscribe(f"subscription {{ getOrder {{ {fields} }} }}")
        await subscription.receive()
        await in_database(Order.objects.all().delete)()
        assert (await subscription.receive())["getOrder"] == {
            "id": str(order.pk),
            "deleted": True,
            "description": "Thread",
            "date": order.date.isoformat(),
            "createdAt": order.created_at.isoformat(),
            "user": {"username": "user_one"},
        }

    async def test_an_event_from_before_orders_had_a_day_is_told_with_the_day_of_its_moment(
        self, graphql_client: GraphQLClient, users: tuple[User, User]
    ) -> None:
        await in_database(Order.objects.create)(user=users[0])
        await in_database(Order.objects.all().delete)()
        moment = "2026-01-31T10:30:00.123456+00:00"
        facts = {"user_id": users[0].pk, "date": moment, "state": "PAID", "description": "Thread"}
        await in_database(Event.objects.filter(kind="deleted").update)(data=facts)
        query = "subscription { getOrder { deleted date createdAt description } }"
        subscription = await graphql_client.subscribe(query, after="0")
        results = [(await subscription.receive())["getOrder"] for _ in range(2)]
        assert results[-1] == {
            "deleted": True,
            "date": "2026-01-31",
            "createdAt": moment,
            "description": "Thread",
        }

    async def test_orders_that_go_with_their_user_are_told(
        self, graphql_client: GraphQLClient, users: tuple[User, User]
    ) -> None:
        order = await Order.objects.acreate(user=users[0])
        query = "subscription { getOrder { id deleted user { username } } }"
        subscription = await graphql_client.subscribe(query)
        await subscription.receive()
        await in_database(users[0].delete)()
        assert (await subscription.receive())["getOrder"] == {
            "id": str(order.pk),
            "deleted": True,
            "user": None,
        }

    async def test_one_order_can_be_followed(
        self, graphql_client: GraphQLClient, users: tuple[User, User]
    ) -> None:
        followed = await Order.objects.acreate(user=users[0])
        other = await Order.objects.acreate(user=users[0])
        query = f'subscription {{ getOrder(id: "{followed.pk}") {{ id state }} }}'
        subscription = await graphql_client.subscribe(query)
        assert (await subscription.receive())["getOrder"]["id"] == str(followed.pk)
        other.state = followed.state = Order.State.PAID
        await in_database(other.save)()
        await in_database(followed.save)()
        assert (await subscription.receive())["getOrder"] == {
            "id": str(followed.pk),
            "state": "PAID",
        }

    @pytest.mark.parametrize("bad", [*BAD_IDS, "999"])
    async def test_an_unknown_order_cannot_be_followed(
        self, bad: str, graphql_client: GraphQLClient
    ) -> None:
        with pytest.raises(OperationError, match=f"There is no order {bad:.40}"):
            await graphql_client.subscribe(f'subscription {{ getOrder(id: "{bad}") {{ id }} }}')


class TestRooms:
    READ = 'query read { history(chatroom: "kittens") { chatroom text sender } }'
    SEND = 'mutation send { sendChatMessage(chatroom: "kittens", text: "Hi all!") { ok } }'
    LISTEN = 'subscription s { onNewChatMessage(chatroom: "kittens") { text sender } }'

    async def test_a_room_exists_as_soon_as_someone_writes_to_it(
        self, execute: Execute, queries: list[str]
    ) -> None:
        assert await execute(self.READ) == {"history": []}
        assert len(queries) == 1
        assert await execute(self.SEND) == {"sendChatMessage": {"ok": True}}
        queries.clear()
        assert await execute(self.SEND) == {"sendChatMessage": {"ok": True}}
        assert len(queries) == 5  # begin, room, message, offset, event
        queries.clear()
        message = {"chatroom": "kittens", "text": "Hi all!", "sender": "Anonymous"}
        assert await execute(self.READ) == {"history": [message, message]}
        assert len(queries) == 1

    async def test_one_may_listen_before_the_room_exists(
        self, graphql_client: GraphQLClient, execute: Execute, queries: list[str]
    ) -> None:
        queries.clear()
        subscription = await graphql_client.subscribe(self.LISTEN)
        assert len(queries) == 2  # heads of the changes of rights and of the topic
        await execute(self.SEND)
        assert await subscription.receive() == {
            "onNewChatMessage": {"text": "Hi all!", "sender": "Anonymous"}
        }

    @pytest.mark.parametrize(
        ("room", "text"),
        [("kittens", ""), ("", "Hi"), ("x" * 101, "Hi"), ("kittens", NUL), (NUL, "Hi")],
    )
    async def test_what_cannot_be_written(self, room: str, text: str, execute: Execute) -> None:
        query = """mutation Send($room: String!, $text: String!) {
            sendChatMessage(chatroom: $room, text: $text) { ok errors } }"""
        answer = (await execute(query, room=room, text=text))["sendChatMessage"]
        assert answer["ok"] is False
        assert len(answer["errors"]) == 1
        assert not await RoomMessage.objects.aexists()

    @pytest.mark.parametrize("room", ["x" * 101, NUL])
    async def test_a_room_that_cannot_be_has_no_history(self, room: str, execute: Execute) -> None:
        query = "query Read($room: String!) { history(chatroom: $room) { text } }"
        assert await execute(query, room=room) == {"history": []}

    @pytest.mark.parametrize("room", ["", "x" * 101, NUL, HALF])
    async def test_a_room_that_cannot_be_has_no_subscription(
        self, room: str, graphql_client: GraphQLClient
    ) -> None:
        query = "subscription s($room: String!) { onNewChatMessage(chatroom: $room) { text } }"
        with pytest.raises(OperationError) as caught:
            await graphql_client.subscribe(query, {"room": room})
        assert caught.value.codes == ["BAD_USER_INPUT"]

    async def test_half_a_surrogate_pair_is_not_written(
        self, graphql_client: GraphQLClient
    ) -> None:
        query = """mutation Send($text: String!) {
            sendChatMessage(chatroom: "kittens", text: $text) { errors } }"""
        answer = await graphql_client.mutate(query, {"text": HALF})
        assert answer["sendChatMessage"]["errors"] == [
            "The message has characters that cannot be stored"
        ]


class TestProbes:
    async def test_count(self, graphql_client: GraphQLClient, queries: list[str]) -> None:
        subscription = await graphql_client.subscribe("subscription { count(target: 2) }")
        assert [result["count"] async for result in subscription] == [0, 1]
        assert all("realtime_topic" in sql for sql in queries)  # who hears of changes of rights

    async def test_announcements(self, graphql_client: GraphQLClient, queries: list[str]) -> None:
        subscription = await graphql_client.subscribe("subscription { realTimeMessages }")
        broadcast("announcements", "Hello")
        assert await subscription.receive() == {"realTimeMessages": "Hello"}
        assert len(queries) == 1  # head of the changes of rights


async def test_no_operation_leaves_the_caller_without_an_answer(application: Any) -> None:
    result, _ = await post(application, "query { unknown }")
    assert result["errors"][0]["message"] == "Cannot query field 'unknown' on type 'Query'."
