"""What changes who may read in a room is an event that says whose rights may have changed."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from messaging.models import Membership, Room
from realtime import access
from realtime.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

ONE, TWO = 1, 2
EVERYONE = access.of_everyone()

ATTIC: dict[str, Any] = {"name": "attic"}


@pytest.fixture(autouse=True)
def _rooms() -> None:
    for pk in (ONE, TWO):
        User.objects.create(pk=pk, username=f"user_{pk}")
    Room.objects.create(name="kittens")
    loft = Room.objects.create(name="loft", is_public=False)
    Membership.objects.create(room=loft, user_id=ONE)
    Event.objects.all().delete()


def kittens() -> Room:
    return Room.objects.get(name="kittens")


def loft() -> Room:
    return Room.objects.get(name="loft")


def save(instance: Room | Membership, **changes: object) -> None:
    for name, value in changes.items():
        setattr(instance, name, value)
    instance.save()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda: Membership.objects.get().delete(), [access.of(ONE)]),
        (lambda: Membership.objects.all().delete(), [access.of(ONE)]),
        (lambda: Membership.objects.create(room=loft(), user_id=TWO), [access.of(TWO)]),
        (lambda: Membership.objects.update(user_id=TWO), [access.of(ONE, TWO)]),
        (lambda: save(Membership.objects.get(), user_id=TWO), [access.of(ONE, TWO)]),
        (lambda: save(Membership.objects.get(), room=kittens()), [access.of(ONE)]),
        (lambda: save(kittens(), is_public=False), [EVERYONE]),
        (lambda: Room.objects.update(is_public=False), [EVERYONE, EVERYONE]),
        (lambda: Room.objects.filter(name="kittens").update(is_public=False), [EVERYONE]),
        (lambda: save(loft(), is_public=True), [EVERYONE]),
        (lambda: Room.objects.create(**ATTIC, is_public=False), [EVERYONE]),
        (lambda: Room.objects.get_or_create(**ATTIC), []),
        (lambda: save(kittens(), name="cats"), []),
        (lambda: kittens().delete(), []),
    ],
    ids=[
        *("lost", "lost in bulk", "got", "passed on in bulk", "passed on", "to another room"),
        *("made private", "all made private", "one made private in bulk"),
        *("made public", "a private room", "a public room", "renamed", "a public room deleted"),
    ],
)
def test_a_change(change: Callable[[], object], told: list[object]) -> None:
    change()
    events = Event.objects.filter(topic=access.TOPIC).order_by("offset")
    assert [event.data for event in events] == told


def test_a_private_room_that_is_deleted_is_told_with_its_members() -> None:
    loft().delete()
    events = Event.objects.filter(topic=access.TOPIC)
    assert EVERYONE in [event.data for event in events]
