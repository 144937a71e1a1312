"""Data to look at, loaded on the first start of `make run`."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_urlsafe

from django.conf import settings

from accounts.models import User
from messaging.models import Membership, Room
from messaging.services import send_message, write_in_room
from orders.models import Order
from realtime.publishing import transactional

USERS = ("user_one", "user_two")
PASSWORD = "pass"  # noqa: S105  (of the two demo users; the admin's is random)


@transactional
def load_demo() -> str | None:
    """Load users, messages, rooms and orders; return the admin's password.

    Does nothing and returns None where there are users already.
    """
    if User.objects.exists():
        return None
    one, two = (User.objects.create_user(name, f"{name}@example.org", PASSWORD) for name in USERS)
    admin_password = token_urlsafe(9)
    User.objects.create_superuser("admin", "admin@example.org", admin_password)
    send_message(sender_id=str(one.pk), recipient_id=str(two.pk), content="Is the yarn here yet?")
    send_message(sender_id=str(two.pk), recipient_id=str(one.pk), content="It left this morning.")
    write_in_room(sender=one, room="kittens", text="Who has seen my ball of thread?")
    write_in_room(sender=two, room="kittens", text="It rolled under the sofa.")
    loft = Room.objects.create(name="loft", is_public=False)
    Membership.objects.bulk_create(Membership(room=loft, user=user) for user in (one, two))
    write_in_room(sender=one, room=loft.name, text="Nobody else reads this.")
    for user, description, state in (
        (one, "Red thread, 100 m", Order.State.PAID),
        (two, "Two balls of wool", Order.State.UNPAID),
        (one, "A labyrinth, medium", Order.State.UNPAID),
    ):
        Order.objects.create(user=user, description=description, state=state)
    return admin_password


def has_demo_users() -> bool:
    """Tell whether the users of the demo are there."""
    return User.objects.filter(username__in=USERS).count() == len(USERS)


def private_files() -> Iterator[Path]:
    """Make a missing SQLite file; let only its owner read it and `.env`. Yield what was changed."""
    files = [Path(settings.ENV_FILE)]
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        name = str(database["NAME"])
        Path(name).touch(0o600)  # SQLite gives the files beside it the same mode
        files += [Path(name + suffix) for suffix in ("", "-wal", "-shm")]
    for file in files:
        if file.is_file() and file.stat().st_mode & 0o077:
            file.chmod(0o600)
            yield file
