"""Reads of orders."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from accounts.inputs import parse_id
from accounts.models import User
from orders.models import Order
from orders.topics import ALL_ORDERS
from realtime import log
from realtime.models import Event


def orders() -> list[Order]:
    """Return all orders with their users, newest first."""
    return list(Order.objects.select_related("user"))


def orders_snapshot() -> dict[str, Any]:
    """Return all orders, and the cursor to follow them from."""
    cursor = log.snapshot([ALL_ORDERS])
    return {"cursor": cursor, "orders": orders()}


def newest_order() -> Order | None:
    """Return the newest order with its user."""
    return Order.objects.select_related("user").first()


def order(id: str) -> Order | None:
    """Return the order of this id with its user."""
    pk = parse_id(id)
    return None if pk is None else Order.objects.select_related("user").filter(pk=pk).first()


def orders_by_id(ids: Iterable[str]) -> dict[int, Order]:
    """Return the orders of these ids with their users."""
    return Order.objects.select_related("user").in_bulk(list(ids))


def deleted_orders(events: Sequence[Event]) -> dict[str, Order]:
    """Return orders as they were, with the users that are left, from the facts of their events."""
    users = User.objects.in_bulk([event.data["user_id"] for event in events])
    return {event.object_id: _restored(event, users) for event in events}


def _restored(event: Event, users: dict[int, User]) -> Order:
    restored = Order(
        pk=int(event.object_id),
        date=datetime.fromisoformat(event.data["date"]),
        state=event.data["state"],
        description=event.data["description"],
    )
    user = users.get(event.data["user_id"])
    if user is not None:
        restored.user = user
    return restored
