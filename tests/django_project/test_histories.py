"""An old state, and the events since its cursor, make the fresh state: over random histories."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from django.core import serializers
from django.db import transaction
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from messaging.models import Message
from messaging.services import send_message
from orders.models import Order
from realtime.database import in_database
from realtime.testing import GraphQLClient

NAMES = count(1)

ORDER = "id state description deleted user { username }"
ORDERS = f"{{ orders {{ cursor orders {{ {ORDER} }} }} }}"
ORDER_CHANGES = f"subscription ($after: String) {{ getOrder(after: $after) {{ {ORDER} }} }}"
MESSAGE = "id senderId recipientId content"
MESSAGES = f"query ($id: String!) {{ messages(userId: $id) {{ cursor messages {{ {MESSAGE} }} }} }}"
NEW_MESSAGES = f"""subscription ($id: String!, $after: String) {{
    messages(userId: $id, after: $after) {{ {MESSAGE} }} }}"""

Write = Callable[[int], object]


@pytest.fixture(autouse=True)
def _all_on_one_page(settings: Any) -> None:
    """The histories follow on each other: their objects come to hundreds."""
    settings.REALTIME = {**settings.REALTIME, "MAX_PAGE_SIZE": 1_000}


class UndoneError(Exception):
    """Rolls a transaction back."""


def someone(pick: int) -> User:
    users = list(User.objects.filter(username__startswith="history"))
    if len(users) < 2:
        users.append(User.objects.create_user(f"history{next(NAMES)}"))
    return users[pick % len(users)]


def some(pick: int) -> list[Order]:
    """Return a part of the orders, perhaps none."""
    return [order for order in Order.objects.all() if (order.pk + pick) % 3]


def unsaved(pick: int) -> Order:
    return Order(user=someone(pick), description=str(pick))


def flip(order: Order) -> Order:
    order.state = "UNPAID" if order.state == "PAID" else "PAID"
    return order


def save_each(pick: int) -> None:
    for order in some(pick):
        flip(order).save()


def delete_one(pick: int) -> None:
    for order in some(pick)[:1]:
        order.delete()


def update(pick: int) -> None:
    Order.objects.filter(pk__in=[order.pk for order in some(pick)]).update(description=f"u{pick}")


def update_from_instance(pick: int) -> None:
    for order in some(pick)[:2]:
        Order.objects.update_or_create(pk=order.pk, defaults={"description": f"o{pick}"})


def bulk_update(pick: int) -> None:
    Order.objects.bulk_update([flip(order) for order in some(pick)], ["state"])


def load(pick: int) -> None:
    """Write as `loaddata` does."""
    for order in serializers.deserialize(
        "json", serializers.serialize("json", [flip(order) for order in some(pick)])
    ):
        order.save()


def undo(pick: int) -> None:
    with suppress(UndoneError), transaction.atomic():
        unsaved(pick).save()
        update(pick)
        raise UndoneError


def undo_in_part(pick: int) -> None:
    with transaction.atomic():
        unsaved(pick).save()
        with suppress(UndoneError), transaction.atomic():
            Order.objects.all().delete()
            raise UndoneError


def administer(pick: int) -> None:
    """Mark orders as paid in the admin."""
    admin, _ = User.objects.get_or_create(username="admin", is_staff=True, is_superuser=True)
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(admin)
    chosen = {"action": "mark_as_paid", "_selected_action": [order.pk for order in some(pick)]}
    if not chosen["_selected_action"]:
        return
    assert client.post(reverse("admin:orders_order_changelist"), chosen).status_code == 302


ORDER_WRITES: list[Write] = [
    lambda pick: unsaved(pick).save(),
    lambda pick: Order.objects.bulk_create([unsaved(pick), unsaved(pick + 1)]),
    lambda pick: Order.objects.get_or_create(user=someone(pick), description="got"),
    save_each,
    update,
    update_from_instance,
    bulk_update,
    delete_one,
    lambda pick: Order.objects.filter(description=str(pick)).delete(),
    lambda pick: someone(pick).delete(),
    load,
    undo,
    undo_in_part,
    administer,
]


@in_database
def perform(history: list[tuple[Write, int]]) -> None:
    for write, pick in history:
        write(pick)


def histories(writes: list[Write]) -> st.SearchStrategy[list[tuple[Write, int]]]:
    return st.lists(st.tuples(st.sampled_from(writes), st.integers(0, 5)), max_size=12)


several = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def by_id(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["id"]: each for each in objects}


@several
@given(history=histories(ORDER_WRITES))
async def test_orders(transactional_db: None, history: list[tuple[Write, int]]) -> None:
    async with GraphQLClient() as client:
        old = (await client.query(ORDERS))["orders"]
        await perform(history)
        fresh = (await client.query(ORDERS))["orders"]
        state, cursor = by_id(old["orders"]), old["cursor"]
        changes = await client.subscribe(ORDER_CHANGES, {"after": cursor})
        while cursor != fresh["cursor"]:
            order = (await changes.receive())["getOrder"]
            cursor = changes.cursor
            if order["deleted"]:
                state.pop(order["id"], None)
            else:
                state[order["id"]] = order
        assert state == by_id(fresh["orders"])


def write_message(pick: int) -> None:
    send_message(sender_id=str(someone(pick).pk), recipient_id=str(reader().pk), content=f"s{pick}")


def reader() -> User:
    return User.objects.get_or_create(username="reader")[0]


def undo_message(pick: int) -> None:
    with suppress(UndoneError), transaction.atomic():
        write_message(pick)
        raise UndoneError


def message(pick: int) -> Message:
    return Message(sender=someone(pick), recipient=reader(), content=f"m{pick}")


MESSAGE_WRITES: list[Write] = [
    write_message,
    undo_message,
    lambda pick: message(pick).save(),
    lambda pick: Message.objects.bulk_create([message(pick), message(pick + 1)]),
]


@several
@given(history=histories(MESSAGE_WRITES))
async def test_messages(transactional_db: None, history: list[tuple[Write, int]]) -> None:
    async with GraphQLClient() as client:
        id = str((await in_database(reader)()).pk)
        old = (await client.query(MESSAGES, {"id": id}))["messages"]
        await perform(history)
        fresh = (await client.query(MESSAGES, {"id": id}))["messages"]
        state, cursor = by_id(old["messages"]), old["cursor"]
        news = await client.subscribe(NEW_MESSAGES, {"id": id, "after": cursor})
        while cursor != fresh["cursor"]:
            sent = (await news.receive())["messages"]
            cursor = news.cursor
            state[sent["id"]] = sent
        assert state == by_id(fresh["messages"])
