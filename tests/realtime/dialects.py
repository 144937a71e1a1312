"""What the tests must know of a dialect to say the same thing of both."""

import json
from dataclasses import dataclass
from typing import Any

from realtime.protocols import Close, CloseCode, GraphQLTransportWS, SubscriptionsTransportWS
from realtime.protocols.events import Frame
from realtime.protocols.server import ServerProtocol, State

QUERY = {"query": "{ hello }"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The words of a dialect."""

    protocol: type[ServerProtocol]
    begin: str
    result: str
    end: str

    def in_state(self, state: State, **options: Any) -> ServerProtocol:
        protocol = self.protocol(**options)
        if state is not State.OPENED:
            protocol.receive('{"type": "connection_init"}')
        if state is State.ACKNOWLEDGED:
            protocol.accept()
        if state is State.CLOSED:
            protocol.fail()
        assert protocol.state is state
        return protocol

    def beginning(self, id: Any = "1", payload: Any = QUERY) -> str:
        return json.dumps({"id": id, "type": self.begin, "payload": payload})

    def ending(self, id: Any = "1") -> str:
        return json.dumps({"id": id, "type": self.end})

    def running(self, *ids: str, **options: Any) -> ServerProtocol:
        """Return a protocol with operations."""
        protocol = self.in_state(State.ACKNOWLEDGED, **options)
        for id in ids or ("1",):
            protocol.receive(self.beginning(id))
        return protocol

    def errors(self, errors: list[Any], id: str = "1") -> list[Any]:
        """Return how an operation ends with errors."""
        if self is TRANSPORT_WS:
            return [{"id": id, "type": "error", "payload": errors}]
        return [
            {"id": id, "type": "data", "payload": {"errors": errors}},
            {"id": id, "type": "complete"},
        ]

    def malformed(self, reason: str) -> list[Any]:
        """Return how what is no message is answered."""
        if self is TRANSPORT_WS:
            return [Close(CloseCode(4400), reason)]
        return [{"type": "connection_error", "payload": {"message": reason}}]

    def faulty(self, reason: str, id: Any) -> list[Any]:
        """Return how a message with a wrong field is answered."""
        if self is TRANSPORT_WS:
            return [Close(CloseCode(4400), reason)]
        answer = {"type": "error", "payload": {"message": reason}}
        return [{"id": id, **answer} if isinstance(id, str) else answer]


TRANSPORT_WS = Dialect(
    protocol=GraphQLTransportWS, begin="subscribe", result="next", end="complete"
)
LEGACY = Dialect(protocol=SubscriptionsTransportWS, begin="start", result="data", end="stop")


def shown(events: list[Any]) -> list[Any]:
    """Return frames as their messages, other events as they are."""
    return [json.loads(event.text) if isinstance(event, Frame) else event for event in events]
