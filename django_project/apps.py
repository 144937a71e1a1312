"""The composition as a Django application, for its management commands."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Names the application."""

    name = "django_project"
