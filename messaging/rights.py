"""Who may read and write messages.

What is asked here may read the database. The refusals are GraphQLErrors.
"""

from accounts.inputs import parse_id
from accounts.models import User
from accounts.rights import forbidden, is_self, may_all
from messaging.models import Room


def check_reader(asker: User | None, user_id: str) -> None:
    """Let a user read the own messages, and staff who may view messages all."""
    if not (is_self(asker, parse_id(user_id)) or may_all(asker, "messaging.view_message")):
        raise forbidden("These are somebody else's messages.")


def check_sender(asker: User | None, sender_id: str) -> None:
    """Let a user send in the own name, and staff who may add messages in any."""
    if not (is_self(asker, parse_id(sender_id)) or may_all(asker, "messaging.add_message")):
        raise forbidden("You may send in your own name alone.")


def check_room_reader(asker: User | None, room: str) -> None:
    """Let users read in their rooms, and staff who may view room messages in all."""
    _check_room(asker, room, "messaging.view_roommessage")


def check_room_writer(asker: User | None, room: str) -> None:
    """Let users write in their rooms, and staff who may add room messages in all."""
    _check_room(asker, room, "messaging.add_roommessage")


def _check_room(asker: User | None, room: str, permission: str) -> None:
    """Let members pass; into a public room, and one that is not there yet, any user."""
    if may_all(asker, permission):
        return
    private = Room.objects.filter(name=room, is_public=False)
    if asker is None or private.exclude(memberships__user=asker).exists():
        raise forbidden("You are not a member of this room.")
