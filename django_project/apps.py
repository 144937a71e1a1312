"""The composition as a Django application, for its management commands."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.utils.autoreload import BaseReloader, autoreload_started

import django_project.checks  # noqa: F401  (registers them)


class ProjectConfig(AppConfig):
    """Has the development server watch what is not Python."""

    name = "django_project"

    def ready(self) -> None:
        """Reload when a schema or the examples change."""
        autoreload_started.connect(_watch_graphql)


def _watch_graphql(sender: BaseReloader, **_: Any) -> None:
    sender.watch_dir(settings.BASE_DIR, "*/*.graphql")
