"""What a server may offer in the ASGI scope beyond the specification."""

from typing import Protocol

WRITER = "realtime.writer"
"""Key in `scope["extensions"]` of a WebSocket whose frames can be written without awaiting."""


class Writer(Protocol):
    """Writes text frames to one accepted WebSocket."""

    def write(self, text: str) -> bool:
        """Write a frame, unless the client has too much to read; return whether it was written.

        If not, `send` says when it can be. Middleware that wraps `send` does not see it.
        """

    def around(self, before: str, after: str) -> "Writer":
        """Return one that puts each text between these."""
