"""Reads and writes of the Django peers; all sync."""

import time
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Q

from benchmarks.peers.shop.models import Message, Order, User


def change_order(day: str) -> int:
    """Give the first order this date; return when that was committed."""
    committed: list[int] = []
    with transaction.atomic():
        transaction.on_commit(lambda: committed.append(time.monotonic_ns()))
        order = Order.objects.get(pk=1)
        order.date = date.fromisoformat(day)
        order.save()
    return committed[0]


def order_with_user(pk: int) -> Order:
    """Return an order and its user, by one query."""
    return Order.objects.select_related("user").get(pk=pk)


def orders() -> list[Order]:
    """Return all orders with their users."""
    return list(Order.objects.select_related("user"))


def messages_of(user_id: int) -> list[Message]:
    """Return what a user sent or received."""
    return list(Message.objects.filter(Q(sender=user_id) | Q(recipient=user_id)))


def message(pk: int) -> Message:
    """Return a message."""
    return Message.objects.get(pk=pk)


def create_message(sender_id: str, recipient_id: str, content: str) -> Message | None:
    """Send a message, None when there is no such sender or recipient."""
    with transaction.atomic():
        users = User.objects.in_bulk([sender_id, recipient_id])
        if len(users) < len({sender_id, recipient_id}) or not content.strip():
            return None
        return Message.objects.create(
            sender_id=int(sender_id), recipient_id=int(recipient_id), content=content
        )


def order_fields(order: Order) -> dict[str, Any]:
    """Return what the subscribers of an order are shown, for a channel layer's message."""
    user = {"username": order.user.username, "email": order.user.email}
    return {"state": order.state, "date": order.date.isoformat(), "user": user}


def message_fields(message: Message) -> dict[str, Any]:
    """Return what the subscribers of an inbox are shown, for a channel layer's message."""
    return {
        "content": message.content,
        "senderId": str(message.sender_id),
        "recipientId": str(message.recipient_id),
    }
