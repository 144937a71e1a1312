"""Changes of rights, told on a topic of the log: in the transaction that makes them.

Every process hears of them before it hands out an event that was committed after them, and
asks anew who may have what it subscribes to.
"""

from typing import Any

from django.db import router

from realtime.log import Change
from realtime.models import Event
from realtime.publishing import publish

TOPIC = "realtime.access"

MOST = 1_000
"""Users that one event names; beyond, it concerns everyone."""


def of(*users: Any) -> dict[str, Any]:
    """Return the facts of an event that concerns the rights of users, given by primary key.

    A published model whose rows give rights has them as its `facts()`, and TOPIC among its
    `topics()`.
    """
    if len(users) > MOST:
        return of_everyone()
    return {"users": [str(pk) for pk in users]}


def of_everyone() -> dict[str, Any]:
    """Return the facts of an event that may concern the rights of anyone."""
    return {"users": None}


def changed(*users: Any) -> None:
    """Tell, with the current transaction, that the rights of users have changed."""
    _tell(of(*users))


def changed_for_everyone() -> None:
    """Tell, with the current transaction, that the rights of anyone may have changed."""
    _tell(of_everyone())


def concerned(event: Event) -> frozenset[str] | None:
    """Return whom an event of the topic concerns, as texts of primary keys; None: everyone."""
    users = event.data.get("users")
    return None if users is None else frozenset(users)


def _tell(facts: dict[str, Any]) -> None:
    change = Change(TOPIC, Event.Kind.UPDATED, "", facts)
    publish([change], using=router.db_for_write(Event))
