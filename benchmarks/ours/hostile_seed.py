"""Fill the database for attacks: what `seed` has, a password, and a room of long messages."""

from importlib import import_module
from typing import Final

USERNAME: Final = "user_1"
PASSWORD: Final = "a labyrinth in Knossos"  # noqa: S105  (of a benchmark)


def _fill() -> None:
    import_module("benchmarks.ours.seed")
    from accounts.models import User
    from messaging.models import Room, RoomMessage
    from orders.models import Order

    user = User.objects.get(username=USERNAME)
    user.set_password(PASSWORD)
    user.save()
    Order.objects.filter(pk__gt=500).update(user=user)
    room = Room.objects.create(name="long")
    RoomMessage.objects.bulk_create(
        RoomMessage(room=room, sender=user, text="\x01" * 10_000) for _ in range(200)
    )


if __name__ == "__main__":
    _fill()
