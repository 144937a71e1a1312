"""What a test client raises where something else came than the test has asked for.

RealtimeError
├── OperationError           the operation has errors
├── CompletedError           the operation is complete
└── ConnectionClosedError    the connection has ended

What does not come in time raises TimeoutError, which says what was awaited.
"""

from typing import Any

from realtime.exceptions import RealtimeError


class OperationError(RealtimeError):
    """An operation could not begin, its stream broke, or a result of it has errors.

    `errors` are as the client got them; `data` is what came with them, None where nothing did.
    """

    def __init__(self, errors: list[dict[str, Any]], data: dict[str, Any] | None = None) -> None:
        super().__init__("; ".join(str(error.get("message")) for error in errors), errors)
        self.errors = errors
        self.data = data

    @property
    def codes(self) -> list[str | None]:
        """The `extensions.code` of each error."""
        return [error.get("extensions", {}).get("code") for error in self.errors]


class CompletedError(RealtimeError):
    """The operation ended without the result that was awaited."""


class ConnectionClosedError(RealtimeError):
    """The connection ended with `code` and `reason`; 1006 without a close of the server's."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"The connection was closed: {code} {reason}".rstrip())
        self.code = code
        self.reason = reason
