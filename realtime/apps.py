"""The Django application of the engine."""

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """Registers the system checks."""

    name = "realtime"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from realtime import checks  # noqa: F401
