"""Orders in the admin."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import ngettext

from orders.models import Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """Orders; every change made here reaches the subscribers."""

    list_display = ("id", "date", "user", "state", "description", "created_at")
    list_filter = ("state", "date")
    list_select_related = ("user",)
    search_fields = ("description", "user__username", "user__email")
    autocomplete_fields = ("user",)
    readonly_fields = ("created_at",)
    date_hierarchy = "created_at"  # which is indexed, as `date` is not
    actions = ("mark_as_paid", "mark_as_unpaid")

    @admin.action(description="Mark selected orders as paid", permissions=["change"])
    def mark_as_paid(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Set the state of the selected orders that are not paid yet."""
        count = _set_state(queryset, Order.State.PAID)
        text = ngettext("%d order was marked as paid.", "%d orders were marked as paid.", count)
        self.message_user(request, text % count, messages.SUCCESS)

    @admin.action(description="Mark selected orders as unpaid", permissions=["change"])
    def mark_as_unpaid(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Set the state of the selected orders that are paid."""
        count = _set_state(queryset, Order.State.UNPAID)
        text = ngettext("%d order was marked as unpaid.", "%d orders were marked as unpaid.", count)
        self.message_user(request, text % count, messages.SUCCESS)


def _set_state(orders: QuerySet[Order], state: Order.State) -> int:
    """Update the orders that have another state; return how many."""
    return orders.exclude(state=state).update(state=state)
