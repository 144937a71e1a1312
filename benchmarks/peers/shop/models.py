"""The models that Clew has, without what makes them live."""

from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.db.backends.signals import connection_created
from django.utils import timezone


class Order(models.Model):
    """What a user ordered."""

    user = models.ForeignKey(User, models.CASCADE)
    date = models.DateField(default=timezone.localdate)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    state = models.CharField(max_length=8, default="UNPAID")
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return f"Order {self.pk}"


class Message(models.Model):
    """A direct message."""

    sender = models.ForeignKey(User, models.CASCADE, related_name="sent_messages")
    recipient = models.ForeignKey(User, models.CASCADE, related_name="received_messages")
    content = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Message {self.pk}"


def _tune(connection: Any, **_: Any) -> None:
    # As Clew's settings do, by a way that Django 4.2 has, too.
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")


connection_created.connect(_tune)
