"""What `graphql-transport-ws` has of its own; test_protocol_table has what both share."""

import json
from typing import Any

import pytest

from realtime.protocols import Close, CloseCode
from realtime.protocols.events import Complete, Frame
from realtime.protocols.server import State
from tests.realtime.dialects import TRANSPORT_WS, shown

OPEN_STATES = [State.OPENED, State.INITIALISING, State.ACKNOWLEDGED]


def received(message: Any, state: State = State.ACKNOWLEDGED) -> list[Any]:
    return shown(TRANSPORT_WS.in_state(state).receive(json.dumps(message)))


class TestOpening:
    def test_acceptance_acknowledges_and_says_no_more(self) -> None:
        assert shown(TRANSPORT_WS.in_state(State.INITIALISING).accept()) == [
            {"type": "connection_ack"}
        ]

    def test_refusal_only_closes(self) -> None:
        assert TRANSPORT_WS.in_state(State.INITIALISING).refuse() == [
            Close(CloseCode.FORBIDDEN, "Forbidden")
        ]

    def test_an_init_that_is_received_does_not_let_in(self) -> None:
        protocol = TRANSPORT_WS.in_state(State.INITIALISING)
        assert protocol.receive(TRANSPORT_WS.beginning()) == [
            Close(CloseCode(4401), "Unauthorized")
        ]


class TestOperations:
    def test_an_id_in_use_closes(self) -> None:
        assert TRANSPORT_WS.running().receive(TRANSPORT_WS.beginning()) == [
            Close(CloseCode(4409), "Subscriber for 1 already exists")
        ]

    def test_an_id_in_use_closes_whatever_the_number_of_operations(self) -> None:
        protocol = TRANSPORT_WS.running(max_operations=1)
        assert protocol.receive(TRANSPORT_WS.beginning()) == [
            Close(CloseCode(4409), "Subscriber for 1 already exists")
        ]

    def test_an_id_that_is_long_is_cut_in_the_reason(self) -> None:
        [close] = TRANSPORT_WS.running("é" * 200).receive(TRANSPORT_WS.beginning("é" * 200))
        assert close == Close(CloseCode(4409), "Subscriber for " + "é" * 54)

    def test_the_client_is_not_told_what_it_ended(self) -> None:
        assert TRANSPORT_WS.running().receive(TRANSPORT_WS.ending()) == [Complete(id="1")]

    @pytest.mark.parametrize("state", OPEN_STATES)
    @pytest.mark.parametrize("id", ["", None, 1, True, []])
    def test_completing_needs_an_id(self, id: Any, state: State) -> None:
        reason = "Invalid complete message: id must be a non-empty string"
        assert received({"id": id, "type": "complete"}, state) == [Close(CloseCode(4400), reason)]

    def test_an_id_is_no_number(self) -> None:
        reason = "Invalid subscribe message: id must be a non-empty string"
        assert TRANSPORT_WS.in_state(State.ACKNOWLEDGED).receive(TRANSPORT_WS.beginning(1)) == [
            Close(CloseCode(4400), reason)
        ]


class TestLiveness:
    @pytest.mark.parametrize("state", OPEN_STATES)
    @pytest.mark.parametrize("payload", [{}, {"payload": {"n": 1}}, {"payload": {}}])
    def test_a_ping_is_answered_with_its_payload_at_any_time(
        self, state: State, payload: Any
    ) -> None:
        assert received({"type": "ping", **payload}, state) == [{"type": "pong", **payload}]

    @pytest.mark.parametrize("state", OPEN_STATES)
    def test_an_unsolicited_pong_is_legal(self, state: State) -> None:
        assert received({"type": "pong"}, state) == []

    @pytest.mark.parametrize("kind", ["ping", "pong"])
    @pytest.mark.parametrize("payload", [1, True, "text", []])
    def test_a_payload_is_an_object(self, kind: str, payload: Any) -> None:
        reason = f"Invalid {kind} message: payload must be an object or null"
        assert received({"type": kind, "payload": payload}) == [Close(CloseCode(4400), reason)]

    def test_whatever_the_depth_an_echo_is_sent_or_refused(self) -> None:
        for depth in range(800, 1100, 3):
            nested = "[" * depth + "]" * depth
            protocol = TRANSPORT_WS.in_state(State.ACKNOWLEDGED)
            [event] = protocol.receive(f'{{"type": "ping", "payload": {{"n": {nested}}}}}')
            assert isinstance(event, Frame | Close)


class TestUnknownTypes:
    @pytest.mark.parametrize("state", OPEN_STATES)
    @pytest.mark.parametrize(
        ("message", "shown"),
        [
            ({}, "None"),
            ({"type": 1}, "1"),
            ({"type": True}, "True"),
            ({"type": []}, "[]"),
            ({"type": "start"}, "'start'"),
            ({"type": "\ud800"}, "'\\ud800'"),
            ({"type": "x" * 100}, "'" + "x" * 59),
        ],
    )
    def test_one_closes(self, state: State, message: Any, shown: str) -> None:
        assert received(message, state) == [Close(CloseCode(4400), f"Invalid message type {shown}")]
