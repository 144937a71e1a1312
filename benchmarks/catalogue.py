"""All servers that are measured, by name."""

import os
import sys
from collections.abc import Sequence

from benchmarks.contender import Contender, daphne, uvicorn

_LIMIT = "benchmarks.limits.direct_send:application"
_OURS = "benchmarks.ours.app:application"

_CLEW = {
    "DJANGO_SETTINGS_MODULE": "django_project.settings",
    "CLEW_ENV_FILE": os.devnull,
    "CLEW_DEMO": "1",
    "SECRET_KEY": "benchmarks",
    "ALLOWED_HOSTS": "127.0.0.1",
}
_SEED = (sys.executable, "-m", "benchmarks.ours.seed")

_ALL = (
    Contender(
        name="limit-uvicorn",
        about="a prebuilt frame through ASGI, Uvicorn",
        command=uvicorn(_LIMIT),
    ),
    Contender(
        name="limit-daphne", about="a prebuilt frame through ASGI, Daphne", command=daphne(_LIMIT)
    ),
    Contender(
        name="ours",
        about="Clew on Uvicorn",
        command=uvicorn(_OURS),
        seed=_SEED,
        environment=_CLEW,
    ),
    Contender(
        name="ours-daphne",
        about="Clew on Daphne",
        command=daphne(_OURS),
        limit="limit-daphne",
        seed=_SEED,
        environment=_CLEW,
    ),
)

CONTENDERS = {contender.name: contender for contender in _ALL}


def chosen(names: Sequence[str]) -> list[Contender]:
    """Return the contenders of these names; raises KeyError."""
    return [CONTENDERS[name] for name in names]
