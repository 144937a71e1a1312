"""The legacy protocol alone: what goes in, what comes out. No event loop."""

import json
from typing import Any

import pytest

from realtime.protocols import Close, CloseCode, SubscriptionsTransportWS, negotiate
from realtime.protocols.events import Complete, ConnectionInit, Frame, Subscribe
from realtime.protocols.server import State
from realtime.protocols.subscriptions_transport_ws import MAX_HELD

START = {"id": "1", "type": "start", "payload": {"query": "{ hello }"}}
STARTED = Subscribe(id="1", payload={"query": "{ hello }"})


def fed(*messages: Any, state: State = State.ACKNOWLEDGED) -> tuple[SubscriptionsTransportWS, Any]:
    """Return a protocol in a state, and what the last of the messages made of it."""
    protocol = SubscriptionsTransportWS()
    if state is not State.OPENED:
        protocol.receive('{"type": "connection_init"}')
    if state is State.ACKNOWLEDGED:
        protocol.accept()
    events: list[Any] = []
    for message in messages:
        events = protocol.receive(message if isinstance(message, str) else json.dumps(message))
    return protocol, events


def shown(events: list[Any]) -> list[Any]:
    """Return frames as their messages, other events as they are."""
    return [json.loads(event.text) if isinstance(event, Frame) else event for event in events]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["graphql-ws"], "graphql-ws"),
        (["graphql-ws", "graphql-transport-ws"], "graphql-transport-ws"),
        (["graphql-sse"], None),
    ],
)
def test_the_newer_dialect_is_preferred(offered: list[str], chosen: str | None) -> None:
    dialect = negotiate(offered)
    assert (dialect.SUBPROTOCOL if dialect else None) == chosen


class TestOpening:
    def test_init_is_handed_over(self) -> None:
        _, events = fed({"type": "connection_init", "payload": {"a": 1}}, state=State.OPENED)
        assert events == [ConnectionInit(payload={"a": 1})]

    def test_acceptance_brings_the_first_keep_alive(self) -> None:
        protocol, _ = fed(state=State.INITIALISING)
        assert shown(protocol.accept()) == [{"type": "connection_ack"}, {"type": "ka"}]

    def test_refusal_says_why_and_closes(self) -> None:
        protocol, _ = fed(state=State.INITIALISING)
        assert shown(protocol.refuse("Token expired")) == [
            {"type": "connection_error", "payload": {"message": "Token expired"}},
            Close(CloseCode.FORBIDDEN, "Token expired"),
        ]

    def test_starting_before_an_init_closes(self) -> None:
        assert fed(START, state=State.OPENED)[1] == [Close(CloseCode(4401), "Unauthorized")]

    def test_what_is_started_while_the_init_is_judged_waits_for_the_acknowledgement(self) -> None:
        protocol, events = fed(START, state=State.INITIALISING)
        assert events == []
        assert shown(protocol.accept()) == [{"type": "connection_ack"}, {"type": "ka"}, STARTED]

    def test_what_is_started_and_stopped_meanwhile_has_ended(self) -> None:
        protocol, _ = fed(START, {"id": "1", "type": "stop"}, state=State.INITIALISING)
        assert shown(protocol.accept())[2:] == [
            STARTED,
            Complete(id="1"),
            {"id": "1", "type": "complete"},
        ]

    def test_a_refusal_drops_what_waits(self) -> None:
        protocol, _ = fed(START, state=State.INITIALISING)
        assert not any(isinstance(event, Subscribe) for event in protocol.refuse())
        assert protocol.next("1", "{}") == []

    def test_no_more_than_a_bounded_number_waits(self) -> None:
        _, events = fed(*[START] * (MAX_HELD + 1), state=State.INITIALISING)
        assert events == [Close(CloseCode(4400), "Too many messages before connection_ack")]

    @pytest.mark.parametrize("state", [State.INITIALISING, State.ACKNOWLEDGED])
    def test_a_second_init_closes(self, state: State) -> None:
        _, events = fed({"type": "connection_init"}, state=state)
        assert events == [Close(CloseCode(4429), "Too many initialisation requests")]

    def test_no_init_in_time_closes(self) -> None:
        protocol, _ = fed(state=State.OPENED)
        assert protocol.init_timed_out() == [
            Close(CloseCode(4408), "Connection initialisation timeout")
        ]

    @pytest.mark.parametrize("state", [State.OPENED, State.INITIALISING])
    def test_there_is_no_keep_alive_before_the_acknowledgement(self, state: State) -> None:
        assert fed(state=state)[0].heartbeat() == []


class TestOperations:
    def test_start_is_handed_over(self) -> None:
        assert fed(START)[1] == [STARTED]

    def test_a_result_is_data(self) -> None:
        protocol, _ = fed(START)
        assert shown(protocol.next("1", '{"data": null}')) == [
            {"id": "1", "type": "data", "payload": {"data": None}}
        ]

    def test_errors_are_data_and_complete(self) -> None:
        protocol, _ = fed(START)
        assert shown(protocol.error("1", '[{"message": "no"}]')) == [
            {"id": "1", "type": "data", "payload": {"errors": [{"message": "no"}]}},
            {"id": "1", "type": "complete"},
        ]

    def test_stop_cancels_and_completes(self) -> None:
        protocol, events = fed(START, {"id": "1", "type": "stop"})
        assert shown(events) == [Complete(id="1"), {"id": "1", "type": "complete"}]
        assert protocol.next("1", "{}") == []
        assert protocol.error("1", "[]") == []

    @pytest.mark.parametrize("id", ["2", "", 1, None, True])
    def test_stopping_what_is_not_there_is_ignored(self, id: Any) -> None:
        assert fed({"id": id, "type": "stop"})[1] == []

    def test_an_id_in_use_begins_anew(self) -> None:
        assert fed(START, START)[1] == [Complete(id="1"), STARTED]

    def test_terminating_closes(self) -> None:
        assert fed({"type": "connection_terminate"})[1] == [Close(CloseCode.NORMAL, "")]


class TestBadMessages:
    @pytest.mark.parametrize(
        ("message", "answer"),
        [
            (
                "nonsense",
                {"type": "connection_error", "payload": {"message": "Message is not valid JSON"}},
            ),
            (
                "[]",
                {
                    "type": "connection_error",
                    "payload": {"message": "Message is not a JSON object"},
                },
            ),
            (
                {"id": "1", "type": "subscribe"},
                {"id": "1", "type": "error", "payload": {"message": "Invalid message type!"}},
            ),
            ({}, {"type": "error", "payload": {"message": "Invalid message type!"}}),
            (
                {"id": "1", "type": "start"},
                {
                    "id": "1",
                    "type": "error",
                    "payload": {"message": "Invalid start message: payload must be an object"},
                },
            ),
        ],
    )
    def test_the_socket_stays(self, message: Any, answer: Any) -> None:
        protocol, events = fed(message)
        assert shown(events) == [answer]
        assert protocol.receive(json.dumps(START)) == [STARTED]

    def test_binary_closes(self) -> None:
        protocol, _ = fed()
        assert protocol.receive(b"{}") == [Close(CloseCode(4400), "Messages are text, not binary")]
