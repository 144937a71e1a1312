"""Users, and their failed logins, in the admin."""

from axes.admin import AccessAttemptAdmin
from axes.models import AccessAttempt
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from accounts.models import User

apps.get_app_config("axes").verbose_name = "Failed logins"  # the heading over them


@admin.register(User)
class PersonAdmin(UserAdmin):
    """Users. Their moments are only shown: the form's fields would cut off the microseconds."""

    readonly_fields = ("last_login", "date_joined")


@admin.register(AccessAttempt)
class FailedLoginAdmin(AccessAttemptAdmin):  # type: ignore[misc]  # it has no types
    """Failed logins; to delete one unlocks it. What was sent with them is not shown."""

    fieldsets = None
    fields = readonly_fields = (
        "username",
        "ip_address",
        "failures_since_start",
        "attempt_time",
        "path_info",
        "user_agent",
    )
    actions = ()  # axes deletes expired ones by itself
