"""The names of messaging's topics."""

ANNOUNCEMENTS = "announcements"
"""Ephemeral: what POST /publish-message says."""


def inbox_topic(user_id: int | str) -> str:
    """Name the topic of the messages addressed to a user."""
    return f"inbox.{user_id}"


def room_topic(room: str) -> str:
    """Name the topic of a room's messages."""
    return f"room.{room}"
