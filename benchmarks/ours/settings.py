"""The project's settings, with a way to ask for an event."""

from django_project.settings import *  # noqa: F403  (all of them)
from django_project.settings import REALTIME

ASGI_APPLICATION = "benchmarks.ours.app.application"

# Of thousands of clients at one address, who list all orders, as those of the peers do.
REALTIME = {
    **REALTIME,
    "MAX_ANONYMOUS_CONNECTIONS": 1_000_000,
    "MAX_PAGE_SIZE": 1_000,
    "MAX_COST": 10_000,
    "MAX_CONNECTIONS_PER_ADDRESS": 1_000_000,
    "MAX_USER_CONNECTIONS_PER_ADDRESS": 1_000_000,
    "MESSAGE_RATE": 0,
    "HASHING_RATE": 0,
    "OPERATION_RATE": 0,
}
