"""The project's ASGI application, with a way to ask for an event."""

import time
from datetime import date

from benchmarks.fire import with_fire
from benchmarks.stall import with_stall
from django_project.asgi import application as project
from orders.models import Order
from realtime.database import in_database

# The apps must be ready, which they are by the import of the project.
from django.db import transaction  # isort: skip


def _write(day: str) -> int:
    committed: list[int] = []
    with transaction.atomic():
        # The first of the callbacks, so before the doorbell.
        transaction.on_commit(lambda: committed.append(time.monotonic_ns()))
        order = Order.objects.get(pk=1)
        order.date = date.fromisoformat(day)
        order.save()
    return committed[0]


application = with_stall(with_fire(project, in_database(_write)))
