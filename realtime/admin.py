"""The log and the registered documents in the admin, to look at."""

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from realtime.models import Event, Topic, TrustedDocument


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows rows that nobody may change by hand.

    Offsets must stay without holes, and hashes those of their texts.
    """

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Refuse."""
        return False


@admin.register(Topic)
class TopicAdmin(ReadOnlyAdmin):
    """Topics."""

    list_display = ("name", "offset", "epoch")
    search_fields = ("name",)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Events."""

    list_display = ("topic_name", "offset", "kind", "object_id", "created_at")
    list_filter = ("kind", "created_at")
    search_fields = ("topic__name", "object_id")
    date_hierarchy = "created_at"
    show_full_result_count = False

    @admin.display(description="topic", ordering="topic")
    def topic_name(self, event: Event) -> str:
        """Return the name of the topic, which is its key: nothing else of it is read."""
        return event.topic_id


@admin.register(TrustedDocument)
class TrustedDocumentAdmin(ReadOnlyAdmin):
    """Documents that clients may name by their hashes; `manage.py trust_documents` adds them."""

    list_display = ("hash", "beginning", "created_at")
    search_fields = ("hash", "text")
    date_hierarchy = "created_at"

    @admin.display(description="text")
    def beginning(self, document: TrustedDocument) -> str:
        """Return the beginning of the text, on one line."""
        return " ".join(document.text[:200].split())
