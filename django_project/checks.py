"""System checks of the composition."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, register

from realtime.management.commands.serve import CHECKS


@register(CHECKS, deploy=True)
def check_demo_by_file(**_: Any) -> list[Error]:
    """Name what the file of settings tries to turn on; no server starts then."""
    return [
        Error(
            f"{settings.ENV_FILE} sets {name}, but demo mode cannot be turned on by a file. Remove "
            f"that line: `make run` does without, and {name}=1 in the environment does the same.",
            id="django_project.E001",
        )
        for name in settings.DEMO_BY_FILE
    ]
