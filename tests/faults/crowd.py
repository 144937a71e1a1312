"""Fifty writers at once on few topics, under the project's settings."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from random import Random
from time import sleep

from django.db import connection, connections, transaction

from accounts.models import User
from messaging.models import Message
from orders.models import Order
from realtime.models import Event
from realtime.publishing import publishing

WRITERS = 50
TRANSACTIONS = 10
HOLD = 0.01
"""Seconds that a transaction waits at most before it commits, with its topics locked."""


def write(seed: int) -> None:
    """Commit transactions that touch several topics, in any order."""
    dice = Random(seed)
    users = list(User.objects.order_by("pk"))
    for n in range(TRANSACTIONS):
        with transaction.atomic():
            with publishing():
                order = dice.sample(users, 3)
                for user in order:
                    Message.objects.create(sender=users[0], recipient=user, content=f"{seed}.{n}")
                Order.objects.create(user=dice.choice(users), description=f"{seed}.{n}")
            sleep(dice.uniform(0, HOLD))
    connection.close()


def run() -> None:
    """Print how many events each topic has, and whether their offsets have holes."""
    # Each thread has a connection of its own: the pool is for fewer.
    connections["default"].settings_dict["OPTIONS"].pop("pool", None)
    User.objects.bulk_create(User(username=f"user {n}") for n in range(6))
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, range(WRITERS)))
    offsets: dict[str, list[int]] = {}
    for topic, offset in Event.objects.order_by("offset").values_list("topic", "offset"):
        offsets.setdefault(topic, []).append(offset)
    whole = all(found == list(range(1, len(found) + 1)) for found in offsets.values())
    counts = {topic: len(found) for topic, found in offsets.items()}
    json.dump({"whole": whole, "counts": counts}, sys.stdout)
