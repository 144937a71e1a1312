"""Direct messages between two people, and rooms."""

from collections.abc import Iterable
from typing import Any, Self

from django.conf import settings
from django.db import models

from messaging.topics import inbox_topic, room_topic
from realtime import access
from realtime.published import Published


class Message(Published):
    """A direct message."""

    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="sent_messages", db_index=False
    )
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="received_messages", db_index=False
    )
    content = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("pk",)
        # Each finds a page, and the rows of its foreign key.
        indexes = (
            models.Index(fields=["sender", "id"]),
            models.Index(fields=["recipient", "id"]),
        )

    def __str__(self) -> str:
        return f"{self.sender_id} to {self.recipient_id}: {self.content:.40}"

    def topics(self) -> Iterable[str]:
        """Name the recipient's inbox."""
        return [inbox_topic(self.recipient_id)]


class Room(Published):
    """A place where people write to everyone in it: any user, or its members alone."""

    MAX_NAME = 100

    name = models.CharField(max_length=MAX_NAME, unique=True)
    is_public = models.BooleanField(
        default=True, help_text="Any user may read and write here; else its members."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def topics(self) -> Iterable[str]:
        """Name the topic of rights where a room is, or was, private.

        Until a private room is made, its name is that of a public one.
        """
        return [] if self.is_public else [access.TOPIC]

    def facts(self) -> dict[str, Any]:
        """Say that the rights of all who are not members may have changed."""
        return access.of_everyone()


class Membership(Published):
    """Lets a user read and write in a private room."""

    room = models.ForeignKey(Room, models.CASCADE, related_name="memberships", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["room", "user"], name="one_membership_a_room"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} in {self.room_id}"

    def topics(self) -> Iterable[str]:
        """Name the topic of rights."""
        return [access.TOPIC]

    def facts(self) -> dict[str, Any]:
        """Say whose rights have changed."""
        return access.of(self.user_id)

    def facts_since(self, before: Self) -> dict[str, Any]:
        """Say that also of the user who had this membership before."""
        return access.of(*sorted({before.user_id, self.user_id}))


class RoomMessage(Published):
    """What somebody wrote in a room."""

    room = models.ForeignKey(
        Room, models.CASCADE, related_name="messages", to_field="name", db_index=False
    )
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
        indexes = (models.Index(fields=["room", "id"]),)

    def __str__(self) -> str:
        return f"{self.room_id}: {self.text:.40}"

    def topics(self) -> Iterable[str]:
        """Name the room's topic; `room_id` is the room's name."""
        return [room_topic(self.room_id)]
