"""The project's settings as they are in production, with a way to see that the server answers."""

from django_project.settings import *  # noqa: F403  (all of them)

ASGI_APPLICATION = "benchmarks.ours.app.application"
