"""Orders."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from orders.topics import ALL_ORDERS, order_topic, user_orders_topic
from realtime.published import Published


class Order(Published):
    """What a user ordered, and whether it is paid."""

    class State(models.TextChoices):
        PAID = "PAID"
        UNPAID = "UNPAID"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="orders", db_index=False
    )
    date = models.DateField(default=timezone.localdate)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    state = models.CharField(max_length=8, choices=State, default=State.UNPAID)
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(fields=["-created_at", "-id"]),
            models.Index(fields=["user", "-created_at", "-id"]),
        )

    def __str__(self) -> str:
        return f"Order {self.pk} ({self.state})"

    def topics(self) -> Iterable[str]:
        """Name the topic of all orders, of the user's, and of this one."""
        return [ALL_ORDERS, user_orders_topic(self.user_id), order_topic(self.pk)]

    def facts(self) -> dict[str, Any]:
        """Return what a subscriber is shown of an order that is deleted by then."""
        return {
            "user_id": self.user_id,
            "date": self.date.isoformat(),
            "created_at": self.created_at.isoformat(),
            "state": self.state,
            "description": self.description,
        }
