"""Writes of messages. Each is one transaction."""

from django.core.exceptions import ValidationError

from accounts.inputs import is_storable
from accounts.models import User
from accounts.selectors import known_ids
from messaging.models import Message, Room, RoomMessage
from messaging.rights import check_room_writer, check_sender
from realtime.publishing import transactional

LONGEST = 10_000
"""Characters of a message."""


def send_message_as(
    asker: User | None,
    *,
    sender_id: str | None = None,
    recipient_id: str | None = None,
    content: str | None = None,
) -> Message:
    """Send a direct message on behalf of a user who may send as the sender.

    Raises ValidationError, also for an argument that was left out: GraphQL has them optional.
    """
    if sender_id is None or recipient_id is None or content is None:
        given = {"senderId": sender_id, "recipientId": recipient_id, "content": content}
        raise ValidationError(
            [f"The argument {name} is missing" for name, value in given.items() if value is None]
        )
    check_sender(asker, sender_id)
    return send_message(sender_id=sender_id, recipient_id=recipient_id, content=content)


@transactional
def send_message(*, sender_id: str, recipient_id: str, content: str) -> Message:
    """Send a direct message. Raises ValidationError."""
    known = known_ids((sender_id, recipient_id))
    errors = [
        f"There is no {role} {id:.40}"
        for role, id in (("sender", sender_id), ("recipient", recipient_id))
        if id not in known
    ]
    errors += _faults(content)
    if errors:
        raise ValidationError(errors)
    return Message.objects.create(
        sender_id=known[sender_id], recipient_id=known[recipient_id], content=content
    )


@transactional
def write_in_room(*, sender: User | None, room: str, text: str) -> RoomMessage:
    """Write in a room, which is made by the first who writes to it. Raises ValidationError.

    The sender must be one who may write there.
    """
    if errors := _faults(text, room):
        raise ValidationError(errors)
    check_room_writer(sender, room)
    place = Room.objects.filter(name=room).first()
    if place is None:
        Room(name=room).clean_fields()
        place, _ = Room.objects.get_or_create(name=room)
    return RoomMessage.objects.create(sender=sender, room=place, text=text)


def _faults(text: str, room: str = "") -> list[str]:
    if not text.strip():
        return ["The message is empty"]
    if len(text) > LONGEST:
        return [f"The message is longer than {LONGEST:,} characters"]
    if not is_storable(text + room):
        return ["The message has characters that cannot be stored"]
    return []
