"""The protocol alone: what goes in, what comes out. No event loop."""

import json
from typing import Any

import pytest

from realtime.protocols.close_codes import Close, CloseCode
from realtime.protocols.events import Complete, ConnectionInit, Frame, Subscribe
from realtime.protocols.graphql_transport_ws import GraphQLTransportWS
from realtime.protocols.server import State

SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": {"query": "{ hello }"}}


def fed(*messages: Any, state: State = State.ACKNOWLEDGED) -> tuple[GraphQLTransportWS, list[Any]]:
    """Return a protocol in a state, and what the last of the messages made of it."""
    protocol = GraphQLTransportWS()
    if state is not State.OPENED:
        protocol.receive('{"type": "connection_init"}')
    if state is State.ACKNOWLEDGED:
        protocol.accept()
    events: list[Any] = []
    for message in messages:
        events = protocol.receive(message if isinstance(message, str) else json.dumps(message))
    return protocol, events


def frames(events: list[Any]) -> list[Any]:
    return [json.loads(event.text) for event in events if isinstance(event, Frame)]


class TestOpening:
    def test_init_is_handed_over_with_its_payload(self) -> None:
        _, events = fed({"type": "connection_init", "payload": {"a": 1}}, state=State.OPENED)
        assert events == [ConnectionInit(payload={"a": 1})]

    def test_acceptance_acknowledges(self) -> None:
        protocol, _ = fed(state=State.INITIALISING)
        assert frames(protocol.accept({"welcome": True})) == [
            {"type": "connection_ack", "payload": {"welcome": True}}
        ]
        assert protocol.state is State.ACKNOWLEDGED

    def test_refusal_closes(self) -> None:
        protocol, _ = fed(state=State.INITIALISING)
        assert protocol.refuse() == [Close(CloseCode.FORBIDDEN, "Forbidden")]

    @pytest.mark.parametrize("state", [State.INITIALISING, State.ACKNOWLEDGED])
    def test_a_second_init_closes_even_while_the_first_is_judged(self, state: State) -> None:
        _, events = fed({"type": "connection_init"}, state=state)
        assert events == [Close(CloseCode(4429), "Too many initialisation requests")]

    def test_no_init_in_time_closes(self) -> None:
        protocol, _ = fed(state=State.OPENED)
        assert protocol.init_timed_out() == [
            Close(CloseCode(4408), "Connection initialisation timeout")
        ]

    @pytest.mark.parametrize("state", [State.INITIALISING, State.ACKNOWLEDGED])
    def test_slow_judging_is_no_time_out(self, state: State) -> None:
        protocol, _ = fed(state=state)
        assert protocol.init_timed_out() == []

    @pytest.mark.parametrize("state", [State.OPENED, State.INITIALISING])
    def test_subscribing_before_the_acknowledgement_closes(self, state: State) -> None:
        _, events = fed(SUBSCRIBE, state=state)
        assert events == [Close(CloseCode(4401), "Unauthorized")]


class TestOperations:
    def test_subscribe_is_handed_over(self) -> None:
        _, events = fed(SUBSCRIBE)
        assert events == [Subscribe(id="1", payload={"query": "{ hello }"})]

    def test_an_id_in_use_closes(self) -> None:
        _, events = fed(SUBSCRIBE, SUBSCRIBE)
        assert events == [Close(CloseCode(4409), "Subscriber for 1 already exists")]

    def test_a_result_is_framed_around_its_json(self) -> None:
        protocol, _ = fed(SUBSCRIBE)
        assert frames(protocol.next("1", '{"data": null}')) == [
            {"id": "1", "type": "next", "payload": {"data": None}}
        ]

    def test_completion_frees_the_id(self) -> None:
        protocol, _ = fed(SUBSCRIBE)
        assert frames(protocol.complete("1")) == [{"id": "1", "type": "complete"}]
        assert protocol.receive(json.dumps(SUBSCRIBE)) == [
            Subscribe(id="1", payload={"query": "{ hello }"})
        ]

    def test_errors_end_the_operation_without_a_complete(self) -> None:
        protocol, _ = fed(SUBSCRIBE)
        assert frames(protocol.error("1", '[{"message": "no"}]')) == [
            {"id": "1", "type": "error", "payload": [{"message": "no"}]}
        ]
        assert protocol.complete("1") == []

    def test_nothing_more_is_sent_after_the_client_completed(self) -> None:
        protocol, events = fed(SUBSCRIBE, {"type": "complete", "id": "1"})
        assert events == [Complete(id="1")]
        assert protocol.next("1", "{}") == []
        assert protocol.complete("1") == []
        assert protocol.error("1", "[]") == []

    def test_completing_an_unknown_id_is_ignored(self) -> None:
        assert fed({"type": "complete", "id": "2"})[1] == []


class TestLiveness:
    @pytest.mark.parametrize("state", [State.OPENED, State.INITIALISING, State.ACKNOWLEDGED])
    def test_a_ping_is_answered_with_its_payload_at_any_time(self, state: State) -> None:
        _, events = fed({"type": "ping", "payload": {"n": 1}}, state=state)
        assert frames(events) == [{"type": "pong", "payload": {"n": 1}}]

    def test_an_unsolicited_pong_is_legal(self) -> None:
        assert fed({"type": "pong"})[1] == []


class TestBadMessages:
    @pytest.mark.parametrize(
        ("message", "reason"),
        [
            ("nonsense", "Message is not valid JSON"),
            ("[" * 10_000, "Message is not valid JSON"),
            ("[" * 65_537, "Message is larger than 65536 bytes"),
            ("é" * 32_769, "Message is larger than 65536 bytes"),
            ('{"type": "ping", "payload": {"n": NaN}}', "Message is not valid JSON"),
            ("[]", "Message is not a JSON object"),
            ({}, "Invalid message type None"),
            ({"type": 1}, "Invalid message type 1"),
            ({"type": "start"}, "Invalid message type 'start'"),
            ({"type": "\ud800"}, "Invalid message type '\\ud800'"),
            (
                {"type": "ping", "payload": 1},
                "Invalid ping message: payload must be an object or null",
            ),
            (
                {**SUBSCRIBE, "id": ""},
                "Invalid subscribe message: id must be a non-empty string",
            ),
            (
                {**SUBSCRIBE, "id": 1},
                "Invalid subscribe message: id must be a non-empty string",
            ),
            (
                {"id": "1", "type": "subscribe"},
                "Invalid subscribe message: payload must be an object",
            ),
            (
                {**SUBSCRIBE, "payload": {}},
                "Invalid subscribe message: payload.query must be a string",
            ),
            (
                {**SUBSCRIBE, "payload": {"query": "", "operationName": 1}},
                "Invalid subscribe message: payload.operationName must be a string or null",
            ),
            (
                {**SUBSCRIBE, "payload": {"query": "", "variables": []}},
                "Invalid subscribe message: payload.variables must be an object or null",
            ),
            (
                {**SUBSCRIBE, "payload": {"query": "", "extensions": 1}},
                "Invalid subscribe message: payload.extensions must be an object or null",
            ),
            ({"type": "complete"}, "Invalid complete message: id must be a non-empty string"),
        ],
    )
    def test_close_says_what_is_wrong(self, message: Any, reason: str) -> None:
        assert fed(message)[1] == [Close(CloseCode(4400), reason)]

    def test_whatever_the_depth_an_echo_is_sent_or_refused(self) -> None:
        for depth in range(800, 1100, 3):
            nested = "[" * depth + "]" * depth
            _, [event] = fed(f'{{"type": "ping", "payload": {{"n": {nested}}}}}')
            assert isinstance(event, Frame) or event.code == CloseCode.BAD_REQUEST

    def test_binary_closes(self) -> None:
        protocol, _ = fed()
        assert protocol.receive(b"{}") == [Close(CloseCode(4400), "Messages are text, not binary")]

    def test_a_reason_fits_a_close_frame(self) -> None:
        protocol, _ = fed({**SUBSCRIBE, "id": "é" * 200})
        [close] = protocol.receive(json.dumps({**SUBSCRIBE, "id": "é" * 200}))
        assert isinstance(close, Close)
        assert 100 < len(close.reason.encode()) <= 123

    def test_nothing_is_received_after_a_close(self) -> None:
        protocol, _ = fed("nonsense")
        assert protocol.receive(json.dumps(SUBSCRIBE)) == []
        assert protocol.state is State.CLOSED
