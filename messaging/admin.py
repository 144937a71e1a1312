"""Messages and rooms in the admin."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.text import Truncator

from messaging.models import Membership, Message, Room, RoomMessage


@admin.register(Message)
class MessageAdmin(admin.ModelAdmin):
    """Direct messages."""

    list_display = ("id", "sender", "recipient", "excerpt", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("sender", "recipient")
    search_fields = ("content", "sender__username", "recipient__username")
    autocomplete_fields = ("sender", "recipient")
    date_hierarchy = "created_at"

    @admin.display(description="content", ordering="content")
    def excerpt(self, message: Message) -> str:
        """Show the beginning of the content."""
        return Truncator(message.content).chars(80)


class MembershipInline(admin.TabularInline):
    """Who is in a room."""

    model = Membership
    autocomplete_fields = ("user",)
    extra = 1


@admin.register(Room)
class RoomAdmin(admin.ModelAdmin):
    """Rooms and their members; who loses a right here gets nothing more."""

    list_display = ("name", "is_public", "created_at")
    list_filter = ("is_public",)
    search_fields = ("name",)
    inlines = (MembershipInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Room | None = None) -> tuple[str, ...]:
        """Keep the name of a room that exists: its messages and its topic refer to it."""
        return () if obj is None else ("name",)


@admin.register(RoomMessage)
class RoomMessageAdmin(admin.ModelAdmin):
    """What is written in rooms."""

    list_display = ("id", "room", "sender", "excerpt", "created_at")
    list_filter = ("room", "created_at")
    list_select_related = ("room", "sender")
    search_fields = ("text", "sender__username")
    autocomplete_fields = ("room", "sender")
    date_hierarchy = "created_at"

    @admin.display(description="text", ordering="text")
    def excerpt(self, message: RoomMessage) -> str:
        """Show the beginning of the text."""
        return Truncator(message.text).chars(80)
