"""Reads of messages."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q

from accounts.inputs import is_storable, parse_id
from accounts.models import User
from messaging.models import Message, Room, RoomMessage
from messaging.topics import inbox_topic, room_topic
from realtime import log


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


def inbox_snapshot(user_id: str) -> dict[str, Any]:
    """Return a user's messages, and the cursor to follow the inbox from. Raises ValidationError."""
    pk = parse_id(user_id)
    cursor = log.snapshot([inbox_topic(pk)]) if pk else None
    return {"cursor": cursor, "messages": messages_of(user_id)}


def messages_by_id(ids: Iterable[str]) -> dict[int, Message]:
    """Return the messages of these ids."""
    return Message.objects.in_bulk(list(ids))


def room_messages(room: str) -> list[RoomMessage]:
    """Return what was written in a room, oldest first; nothing if there is no such room."""
    if not is_storable(room):
        return []
    return list(RoomMessage.objects.filter(room__name=room).select_related("sender"))


def possible_room(name: str) -> str:
    """Return the name of a room, there or not. Raises ValidationError."""
    if not is_storable(name) or not 0 < len(name) <= Room.MAX_NAME:
        raise ValidationError("There can be no such room")
    return name


def room_snapshot(room: str) -> dict[str, Any]:
    """Return a room's messages, and the cursor to follow it from. Raises ValidationError."""
    cursor = log.snapshot([room_topic(possible_room(room))])
    return {"cursor": cursor, "messages": room_messages(room)}


def room_messages_by_id(ids: Iterable[str]) -> dict[int, RoomMessage]:
    """Return the room messages of these ids, with their senders."""
    return RoomMessage.objects.select_related("sender").in_bulk(list(ids))
