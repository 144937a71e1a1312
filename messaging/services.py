"""Writes of messages. Each is one transaction."""

from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.selectors import users_by_id
from messaging.models import Message, Room, RoomMessage
from realtime.publishing import transactional


@transactional
def send_message(*, sender_id: str, recipient_id: str, content: str) -> Message:
    """Send a direct message. Raises ValidationError."""
    users = users_by_id((sender_id, recipient_id))
    errors = [
        f"There is no {role} {id:.40}"
        for role, id in (("sender", sender_id), ("recipient", recipient_id))
        if id not in users
    ]
    if not content.strip():
        errors.append("The message is empty")
    if errors:
        raise ValidationError(errors)
    return Message.objects.create(
        sender=users[sender_id], recipient=users[recipient_id], content=content
    )


@transactional
def write_in_room(*, sender: User | None, room: str, text: str) -> RoomMessage:
    """Write in a room, which is made by the first who writes to it. Raises ValidationError."""
    if not text.strip():
        raise ValidationError("The message is empty")
    place = Room.objects.filter(name=room).first()
    if place is None:
        Room(name=room).clean_fields()
        place, _ = Room.objects.get_or_create(name=room)
    return RoomMessage.objects.create(sender=sender, room=place, text=text)
