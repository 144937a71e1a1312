"""The Django application."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Names the application."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
