"""The Django application."""

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Names the application."""

    name = "messaging"
    default_auto_field = "django.db.models.BigAutoField"
