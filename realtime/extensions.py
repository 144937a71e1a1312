"""What a server may offer in the ASGI scope beyond the specification."""

from typing import Protocol

WRITER = "realtime.writer"
"""Key in `scope["extensions"]` of a WebSocket whose frames can be written without awaiting."""

BACKLOG = "realtime.backlog"
"""Key of what says how much of that waits."""


class Writer(Protocol):
    """Writes text frames to one accepted WebSocket."""

    def write(self, text: str) -> bool:
        """Write a frame, unless the client has too much to read; return whether it was written.

        If not, `send` says when it can be. Middleware that wraps `send` does not see it.
        """

    def around(self, before: str, after: str) -> "Writer":
        """Return one that puts each text between these."""


class Backlog(Protocol):
    """What was written to one WebSocket and the client has not taken yet."""

    async def drained(self) -> None:
        """Return when the client has taken most of what was written, or is gone."""

    def progress(self) -> tuple[int, int]:
        """Return how often the client has taken what was too much, and the bytes that wait now."""

    def abort(self) -> None:
        """Close at once, without what waits."""
