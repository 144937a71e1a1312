"""The log's two tables, and the documents that the project has registered."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models


class Topic(models.Model):
    """A named stream of events, and the head of its log."""

    name = models.CharField(max_length=200, primary_key=True)
    offset = models.PositiveBigIntegerField(
        help_text="Offset of the newest event; offsets are 1, 2, 3 … without a hole."
    )
    epoch = models.CharField(
        max_length=16, help_text="Changes when the log of this topic was rebuilt."
    )

    def __str__(self) -> str:
        return f"{self.name} at {self.offset}"


class Event(models.Model):
    """One committed change on one topic: ids and facts, never a whole object."""

    class Kind(models.TextChoices):
        CREATED = "created"
        UPDATED = "updated"
        DELETED = "deleted"

    topic = models.ForeignKey(Topic, models.CASCADE, related_name="events", db_index=False)
    offset = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=16, choices=Kind)
    object_id = models.CharField(max_length=200)
    data = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("topic", "offset"), name="realtime_event_offset"),
        )

    def __str__(self) -> str:
        return f"{self.topic_id}:{self.offset} {self.kind} {self.object_id}"


class TrustedDocument(models.Model):
    """A GraphQL document that clients may name by its hash."""

    hash = models.CharField(
        max_length=64, primary_key=True, help_text="SHA-256 of the text, in hexadecimal."
    )
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "hash")

    def __str__(self) -> str:
        return self.hash


def is_topic_name(name: object) -> bool:
    """Tell whether the databases can hold a name."""
    if not isinstance(name, str) or not 0 < len(name) <= 200 or "\0" in name:
        return False
    try:
        name.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True
