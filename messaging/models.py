"""Direct messages between two people, and rooms."""

from collections.abc import Iterable

from django.conf import settings
from django.db import models

from messaging.topics import inbox_topic, room_topic
from realtime.published import Published


class Message(Published):
    """A direct message."""

    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="sent_messages"
    )
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="received_messages"
    )
    content = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.sender_id} to {self.recipient_id}: {self.content:.40}"

    def topics(self) -> Iterable[str]:
        """Name the recipient's inbox."""
        return [inbox_topic(self.recipient_id)]


class Room(models.Model):
    """A place where people write to everyone in it."""

    MAX_NAME = 100

    name = models.CharField(max_length=MAX_NAME, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class RoomMessage(Published):
    """What somebody wrote in a room."""

    room = models.ForeignKey(Room, models.CASCADE, related_name="messages", to_field="name")
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="room_messages",
        null=True,
        blank=True,
        help_text="Nobody: written without logging in.",
    )
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.room_id}: {self.text:.40}"

    def topics(self) -> Iterable[str]:
        """Name the room's topic; `room_id` is the room's name."""
        return [room_topic(self.room_id)]
