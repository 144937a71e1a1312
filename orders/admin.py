"""Orders in the admin."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import ngettext

from orders.models import Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """Orders; every change made here reaches the subscribers."""

    list_display = ("id", "date", "user", "state", "description")
    list_filter = ("state", "date")
    list_select_related = ("user",)
    search_fields = ("description", "user__username", "user__email")
    autocomplete_fields = ("user",)
    date_hierarchy = "date"
    actions = ("mark_as_paid",)

    @admin.action(description="Mark selected orders as paid", permissions=["change"])
    def mark_as_paid(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Set the state of the selected orders that are not paid yet."""
        count = queryset.exclude(state=Order.State.PAID).update(state=Order.State.PAID)
        text = ngettext("%d order was marked as paid.", "%d orders were marked as paid.", count)
        self.message_user(request, text % count, messages.SUCCESS)
