"""The project's settings, with a way to ask for an event."""

from django_project.settings import *  # noqa: F403  (all of them)

ASGI_APPLICATION = "benchmarks.ours.app.application"
