"""The Django application of the engine."""

from django.apps import AppConfig, apps


class RealtimeConfig(AppConfig):
    """Registers the system checks, and listens to what takes rights away."""

    name = "realtime"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and listen to what takes rights away."""
        from realtime import checks, revoking  # noqa: F401  (the models must be ready)

        if apps.is_installed("django.contrib.auth"):
            revoking.connect()
