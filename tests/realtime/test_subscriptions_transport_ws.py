"""What the legacy protocol has of its own; test_protocol_table has what both share."""

import json
from typing import Any

import pytest

from realtime.protocols import Close, CloseCode
from realtime.protocols.events import Complete, Subscribe
from realtime.protocols.server import ServerProtocol, State
from realtime.protocols.subscriptions_transport_ws import MAX_HELD
from tests.realtime.dialects import LEGACY, QUERY, shown

STARTED = Subscribe(id="1", payload=QUERY)


def judging(*messages: str, **options: Any) -> ServerProtocol:
    """Return a protocol that has received messages while its init is judged."""
    protocol = LEGACY.in_state(State.INITIALISING, **options)
    for message in messages:
        assert protocol.receive(message) == []
    return protocol


class TestOpening:
    def test_acceptance_brings_the_first_keep_alive(self) -> None:
        assert shown(judging().accept()) == [{"type": "connection_ack"}, {"type": "ka"}]

    def test_acceptance_brings_none_when_keep_alive_is_off(self) -> None:
        assert shown(judging(keep_alive=False).accept()) == [{"type": "connection_ack"}]

    def test_refusal_says_why_and_closes(self) -> None:
        assert shown(judging().refuse("Token expired")) == [
            {"type": "connection_error", "payload": {"message": "Token expired"}},
            Close(CloseCode.FORBIDDEN, "Token expired"),
        ]

    @pytest.mark.parametrize("end", ["fail", "unavailable", "forbid"])
    def test_init_that_ends_the_connection_gets_a_connection_error(self, end: str) -> None:
        error, close = getattr(judging(), end)()
        assert isinstance(close, Close)
        assert shown([error]) == [
            {"type": "connection_error", "payload": {"message": close.reason}},
        ]

    def test_what_is_started_while_the_init_is_judged_waits_for_the_acknowledgement(self) -> None:
        protocol = judging(LEGACY.beginning())
        assert shown(protocol.accept()) == [{"type": "connection_ack"}, {"type": "ka"}, STARTED]

    def test_what_is_started_and_stopped_meanwhile_has_ended(self) -> None:
        protocol = judging(LEGACY.beginning(), LEGACY.ending())
        assert shown(protocol.accept())[2:] == [
            STARTED,
            Complete(id="1"),
            {"id": "1", "type": "complete"},
        ]

    def test_what_waits_is_counted_as_an_operation(self) -> None:
        protocol = judging(LEGACY.beginning("1"), LEGACY.beginning("2"), max_operations=1)
        begun = protocol.accept()[2:]
        assert [event for event in begun if isinstance(event, Subscribe)] == [STARTED]

    def test_a_refusal_drops_what_waits(self) -> None:
        protocol = judging(LEGACY.beginning())
        assert not any(isinstance(event, Subscribe) for event in protocol.refuse())
        assert protocol.next("1", "{}") == []

    def test_no_more_than_a_bounded_number_waits(self) -> None:
        protocol = judging(*[LEGACY.beginning()] * MAX_HELD)
        assert protocol.receive(LEGACY.beginning()) == [
            Close(CloseCode(4400), "Too many messages before connection_ack")
        ]


class TestOperations:
    def test_stop_cancels_and_completes(self) -> None:
        assert shown(LEGACY.running().receive(LEGACY.ending())) == [
            Complete(id="1"),
            {"id": "1", "type": "complete"},
        ]

    @pytest.mark.parametrize("id", ["2", "", 1, None, True, [], {}])
    def test_stopping_what_is_not_there_is_ignored(self, id: Any) -> None:
        assert LEGACY.running().receive(LEGACY.ending(id)) == []

    @pytest.mark.parametrize("payload", [None, {}, "", [], 1])
    def test_stop_ends_the_operation_whatever_its_payload(self, payload: Any) -> None:
        message = json.dumps({"id": "1", "type": "stop", "payload": payload})
        assert Complete(id="1") in LEGACY.running().receive(message)

    def test_an_id_in_use_begins_anew(self) -> None:
        assert LEGACY.running().receive(LEGACY.beginning()) == [Complete(id="1"), STARTED]

    def test_an_id_in_use_begins_anew_whatever_the_number_of_operations(self) -> None:
        protocol = LEGACY.running(max_operations=1)
        assert protocol.receive(LEGACY.beginning()) == [Complete(id="1"), STARTED]

    @pytest.mark.parametrize("id", [1, 0, -1])
    def test_an_id_may_be_a_number_which_is_echoed(self, id: int) -> None:
        protocol = LEGACY.in_state(State.ACKNOWLEDGED)
        assert protocol.receive(LEGACY.beginning(id)) == [Subscribe(id=id, payload=QUERY)]
        assert shown([*protocol.next(id, "{}"), *protocol.complete(id)]) == [
            {"id": id, "type": "data", "payload": {}},
            {"id": id, "type": "complete"},
        ]

    def test_a_number_is_not_the_text_of_it(self) -> None:
        protocol = LEGACY.running("1")
        assert protocol.receive(LEGACY.beginning(1)) == [Subscribe(id=1, payload=QUERY)]

    @pytest.mark.parametrize("state", [State.OPENED, State.INITIALISING, State.ACKNOWLEDGED])
    def test_terminating_closes(self, state: State) -> None:
        assert LEGACY.in_state(state).receive('{"type": "connection_terminate"}') == [
            Close(CloseCode.NORMAL, "")
        ]


class TestBadMessages:
    @pytest.mark.parametrize("state", [State.OPENED, State.INITIALISING, State.ACKNOWLEDGED])
    @pytest.mark.parametrize(
        ("message", "id"),
        [
            ({"id": "1", "type": "subscribe"}, {"id": "1"}),
            ({"id": 1, "type": "ping"}, {"id": 1}),
            ({"id": True, "type": "complete"}, {}),
            ({"type": None}, {}),
            ({"type": 1}, {}),
            ({"type": ["start"]}, {}),
            ({}, {}),
        ],
    )
    def test_an_unknown_type_is_answered(self, state: State, message: Any, id: Any) -> None:
        answer = {**id, "type": "error", "payload": {"message": "Invalid message type!"}}
        assert shown(LEGACY.in_state(state).receive(json.dumps(message))) == [answer]

    @pytest.mark.parametrize("message", ["nonsense", "[]", "{}", '{"id": "1", "type": "start"}'])
    def test_the_socket_stays(self, message: str) -> None:
        protocol = LEGACY.in_state(State.ACKNOWLEDGED)
        protocol.receive(message)
        assert protocol.receive(LEGACY.beginning()) == [STARTED]
