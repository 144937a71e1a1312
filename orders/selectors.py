"""Reads of orders, of those that `asker` may read: None is nobody in particular."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.inputs import parse_id
from accounts.models import User
from accounts.pages import page_edge, page_size
from accounts.rights import forbidden
from orders.models import Order
from orders.rights import may_read_all
from orders.topics import ALL_ORDERS, order_topic, user_orders_topic
from realtime import log
from realtime.compiled import ByKey
from realtime.exceptions import UnauthenticatedError
from realtime.models import Event


def _readable(asker: User | None) -> QuerySet[Order]:
    orders = Order.objects.select_related("user")
    return orders if may_read_all(asker) else orders.filter(user=asker)


def orders(
    asker: User | None, *, first: int | None = None, after: str | None = None
) -> list[Order]:
    """Return a page of orders with their users, newest first. Raises ValidationError."""
    size, edge = page_size(first), page_edge(after)
    readable = _readable(asker)
    if edge is None:
        return list(readable[:size])
    made = readable.filter(pk=edge).values_list("created_at", flat=True).first()
    if made is None:
        raise ValidationError(f"There is no order {edge}")
    # The first condition is that of the index.
    older = readable.filter(Q(created_at__lte=made), Q(created_at__lt=made) | Q(pk__lt=edge))
    return list(older[:size])


def orders_snapshot(
    asker: User | None, *, first: int | None = None, after: str | None = None
) -> dict[str, Any]:
    """Return a page of orders, and the cursor to follow them from. Raises ValidationError."""
    cursor = log.snapshot([followed_orders(asker)])
    return {"cursor": cursor, "orders": orders(asker, first=first, after=after)}


def followed_orders(asker: User | None) -> str:
    """Return the topic of all orders that somebody may read."""
    if may_read_all(asker):
        return ALL_ORDERS
    if asker is None:
        raise UnauthenticatedError("Log in to follow your orders.")
    return user_orders_topic(asker.pk)


def followed_order(asker: User | None, id: str) -> str:
    """Return the topic of one order. Raises ValidationError.

    Who may not read all orders does not learn whether there is another's.
    """
    pk = parse_id(id)
    if pk is not None and _readable(asker).filter(pk=pk).exists():
        return order_topic(pk)
    if may_read_all(asker):
        raise ValidationError(f"There is no order {id:.40}")
    raise forbidden("This is not your order.")


def newest_order(asker: User | None) -> Order | None:
    """Return the newest order with its user."""
    return _readable(asker).first()


def order(asker: User | None, id: str) -> Order | None:
    """Return the order of this id with its user."""
    pk = parse_id(id)
    return None if pk is None else _readable(asker).filter(pk=pk).first()


orders_by_id = ByKey(Order.objects.select_related("user"))
"""Returns the orders of these ids with their users."""


_users = ByKey(User.objects.all())


def deleted_orders(events: Sequence[Event]) -> dict[str, Order]:
    """Return orders as they were, with the users that are left, from the facts of their events."""
    users = _users({event.data["user_id"] for event in events})
    return {event.object_id: _restored(event, users) for event in events}


def _restored(event: Event, users: dict[int, User]) -> Order:
    # The facts of events from before orders had a day bear their moment alone, as "date".
    made = datetime.fromisoformat(event.data.get("created_at", event.data["date"]))
    restored = Order(
        pk=int(event.object_id),
        date=date.fromisoformat(event.data["date"])
        if "created_at" in event.data
        else timezone.localdate(made),
        created_at=made,
        state=event.data["state"],
        description=event.data["description"],
    )
    user = users.get(event.data["user_id"])
    if user is not None:
        restored.user = user
    return restored
