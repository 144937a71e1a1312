"""The Django application."""

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Names the application."""

    name = "orders"
    default_auto_field = "django.db.models.BigAutoField"
