"""The admin: what is changed there reaches subscribers, and the log cannot be changed there."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.test import Client
from django.urls import reverse

from accounts.models import User
from messaging.models import Message, RoomMessage
from messaging.services import write_in_room
from orders.models import Order
from realtime.database import in_database
from realtime.models import Event, Topic
from realtime.testing import GraphQLClient


@pytest.fixture
def admin(transactional_db: None) -> Client:
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.create_superuser("admin", "admin@example.org", "pass"))
    return client


@pytest.fixture
def orders(users: tuple[User, User]) -> list[Order]:
    return [Order.objects.create(user=user) for user in users]


def edit(admin: Client, order: Order) -> None:
    form = {
        "user": order.user_id,
        "date": order.date.isoformat(),
        "state": "PAID",
        "description": "",
    }
    response = admin.post(reverse("admin:orders_order_change", args=[order.pk]), form)
    assert response.status_code == 302, response.content


def act(action: str) -> Callable[[Client, Order], None]:
    def run(admin: Client, order: Order) -> None:
        form = {"action": action, "_selected_action": [order.pk], "post": "yes"}
        response = admin.post(reverse("admin:orders_order_changelist"), form)
        assert response.status_code == 302, response.content

    return run


def delete(admin: Client, order: Order) -> None:
    path = reverse("admin:orders_order_delete", args=[order.pk])
    assert admin.post(path, {"post": "yes"}).status_code == 302


def delete_user(admin: Client, order: Order) -> None:
    path = reverse("admin:accounts_user_delete", args=[order.user_id])
    assert admin.post(path, {"post": "yes"}).status_code == 302


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (edit, {"state": "PAID", "deleted": False}),
        (act("mark_as_paid"), {"state": "PAID", "deleted": False}),
        (act("delete_selected"), {"state": "UNPAID", "deleted": True}),
        (delete, {"state": "UNPAID", "deleted": True}),
        (delete_user, {"state": "UNPAID", "deleted": True}),
    ],
    ids=["edit", "mark as paid", "delete selected", "delete", "cascade"],
)
async def test_a_change_reaches_subscribers(
    change: Callable[[Client, Order], None],
    told: dict[str, Any],
    admin: Client,
    orders: list[Order],
    graphql_client: GraphQLClient,
) -> None:
    query = "subscription { getOrder { id state deleted } }"
    subscription = await graphql_client.subscribe(query)
    await subscription.receive()
    await in_database(change)(admin, orders[0])
    assert await subscription.receive() == {"getOrder": {"id": str(orders[0].pk), **told}}


@pytest.mark.parametrize("model", list(site._registry))
def test_every_list_opens_and_can_be_searched(
    model: Any, admin: Client, users: tuple[User, User], orders: list[Order]
) -> None:
    Message.objects.create(sender=users[0], recipient=users[1], content="Hello")
    write_in_room(sender=None, room="kittens", text="Hi all!")
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    for query in ("", "?q=kittens"):
        assert admin.get(path + query).status_code == 200


@pytest.mark.parametrize("model", [Topic, Event])
def test_the_log_is_only_to_look_at(model: Any, admin: Client, orders: list[Order]) -> None:
    name = f"admin:realtime_{model._meta.model_name}"
    row = model.objects.first()
    assert admin.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
    assert admin.post(reverse(f"{name}_change", args=[row.pk]), {"offset": 9}).status_code == 403
    assert admin.post(reverse(f"{name}_add")).status_code == 403
    assert admin.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_a_room_message_without_a_sender_can_be_edited(admin: Client) -> None:
    message = write_in_room(sender=None, room="kittens", text="Hi all!")
    path = reverse("admin:messaging_roommessage_change", args=[message.pk])
    form = {"room": message.room_id, "sender": "", "text": "Hi!"}
    assert admin.post(path, form).status_code == 302
    assert RoomMessage.objects.get().text == "Hi!"
