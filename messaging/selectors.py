"""Reads of messages."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db.models import Q

from accounts.inputs import is_storable, parse_id
from accounts.models import User
from messaging.models import Message, RoomMessage


def known_user(text: str) -> int:
    """Return the primary key of the user with this id. Raises ValidationError."""
    pk = parse_id(text)
    if pk is None or not User.objects.filter(pk=pk).exists():
        raise ValidationError(f"There is no user {text:.40}")
    return pk


def messages_of(user_id: str) -> list[Message]:
    """Return what a user sent or received, oldest first. Raises ValidationError."""
    pk = parse_id(user_id)
    messages = list(Message.objects.filter(Q(sender=pk) | Q(recipient=pk))) if pk else []
    if not messages:
        known_user(user_id)
    return messages


def messages_by_id(ids: Iterable[str]) -> dict[int, Message]:
    """Return the messages of these ids."""
    return Message.objects.in_bulk(list(ids))


def room_messages(room: str) -> list[RoomMessage]:
    """Return what was written in a room, oldest first; nothing if there is no such room."""
    if not is_storable(room):
        return []
    return list(RoomMessage.objects.filter(room__name=room).select_related("sender"))


def room_messages_by_id(ids: Iterable[str]) -> dict[int, RoomMessage]:
    """Return the room messages of these ids, with their senders."""
    return RoomMessage.objects.select_related("sender").in_bulk(list(ids))
