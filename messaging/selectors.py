"""Reads of messages, by those who may: `asker` is who wants to know, None if nobody in particular.

A page is the newest of what there is, oldest first.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from accounts.inputs import is_storable, parse_id
from accounts.models import User
from accounts.pages import page_edge, page_size
from messaging.models import Message, Room, RoomMessage
from messaging.rights import check_reader, check_room_reader
from messaging.topics import inbox_topic, room_topic
from realtime import log
from realtime.compiled import ByKey
from realtime.exceptions import UnauthenticatedError
from realtime.published import Published

M = TypeVar("M", bound=Published)


def known_user(text: str) -> int:
    """Return the primary key of the user with this id. Raises ValidationError."""
    pk = parse_id(text)
    if pk is None or not User.objects.filter(pk=pk).exists():
        raise ValidationError(f"There is no user {text:.40}")
    return pk


def followed_inbox(asker: User | None, user_id: str | None = None) -> str:
    """Return the topic of the messages addressed to a user, by default to the asker.

    Raises ValidationError.
    """
    if user_id is None:
        if asker is None:
            raise UnauthenticatedError("Log in to follow your own messages, or give a userId.")
        return inbox_topic(asker.pk)
    check_reader(asker, user_id)
    return inbox_topic(known_user(user_id))


def inbox_snapshot(
    asker: User | None, user_id: str, *, last: int | None = None, before: str | None = None
) -> dict[str, Any]:
    """Return a page of a user's messages, and the cursor to follow the inbox from.

    Raises ValidationError.
    """
    check_reader(asker, user_id)
    pk = parse_id(user_id)
    cursor = log.snapshot([inbox_topic(pk)]) if pk else None
    messages = _messages_of(pk, page_size(last), page_edge(before)) if pk else []
    if not messages:
        known_user(user_id)
    return {"cursor": cursor, "messages": messages}


def _messages_of(pk: int, size: int, edge: int | None) -> list[Message]:
    """Return what a user sent or received.

    Of each a page, from its index: databases that look for either in one go sort all that
    the user ever sent and received.
    """
    sent, received = (
        Message.objects.filter(pk__in=_newest(messages, size, edge).values("pk")).order_by()
        for messages in (Message.objects.filter(sender=pk), Message.objects.filter(recipient=pk))
    )
    return _oldest_first(sent.union(received).order_by("-pk")[:size])


messages_by_id = ByKey(Message.objects.all())
"""Returns the messages of these ids."""


def room_messages(
    asker: User | None, room: str, *, last: int | None = None, before: str | None = None
) -> list[RoomMessage]:
    """Return a page of what was written in a room; nothing if there is no such room.

    Raises ValidationError.
    """
    if not is_storable(room):
        return []
    check_room_reader(asker, room)
    return _written_in(room, page_size(last), page_edge(before))


def _written_in(room: str, size: int, edge: int | None) -> list[RoomMessage]:
    messages = RoomMessage.objects.filter(room__name=room).select_related("sender")
    return _oldest_first(_newest(messages, size, edge))


def followed_room(asker: User | None, name: str) -> str:
    """Return the topic of a room, there or not. Raises ValidationError."""
    if not is_storable(name) or not 0 < len(name) <= Room.MAX_NAME:
        raise ValidationError("There can be no such room")
    check_room_reader(asker, name)
    return room_topic(name)


def room_snapshot(
    asker: User | None, room: str, *, last: int | None = None, before: str | None = None
) -> dict[str, Any]:
    """Return a page of a room's messages, and the cursor to follow it from.

    Raises ValidationError.
    """
    cursor = log.snapshot([followed_room(asker, room)])
    return {"cursor": cursor, "messages": _written_in(room, page_size(last), page_edge(before))}


room_messages_by_id = ByKey(RoomMessage.objects.select_related("sender"))
"""Returns the room messages of these ids, with their senders."""


def _newest(messages: QuerySet[M], size: int, edge: int | None) -> QuerySet[M]:
    if edge is not None:
        messages = messages.filter(pk__lt=edge)
    return messages.order_by("-pk")[:size]


def _oldest_first(messages: Iterable[M]) -> list[M]:
    return list(messages)[::-1]
