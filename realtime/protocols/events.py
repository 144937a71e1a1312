"""What goes out of a protocol: requests of the client, frames to send, and the close."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from realtime.protocols.close_codes import Close

OperationId: TypeAlias = str | int | None
"""A text; in the legacy dialect a number, too; none only where `GraphQLWSProtocol` takes that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionInit:
    """The client asks to be let in: answer with `accept()` or `refuse()`."""

    payload: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """The client starts an operation of any type under an id that is now taken."""

    id: OperationId
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """The client ended an operation: cancel it, nothing more is sent for its id."""

    id: OperationId


class Frame(NamedTuple):
    """Send this text; there is one for each result and client, so it is made cheaply."""

    text: str


Event = ConnectionInit | Subscribe | Complete | Frame | Close
