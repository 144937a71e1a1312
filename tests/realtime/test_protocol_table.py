"""What both dialects oblige a server to do: what goes in, what comes out. No event loop."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from realtime.protocols import Close, CloseCode, negotiate
from realtime.protocols.events import Complete, ConnectionInit, Frame, Subscribe
from realtime.protocols.server import ServerProtocol, State
from tests.realtime.dialects import LEGACY, QUERY, TRANSPORT_WS, Dialect, shown

OPEN_STATES = [State.OPENED, State.INITIALISING, State.ACKNOWLEDGED]
BEGUN = Subscribe(id="1", payload=QUERY)

pytestmark = pytest.mark.parametrize(
    "dialect", [pytest.param(TRANSPORT_WS, id="newer"), pytest.param(LEGACY, id="legacy")]
)


class TestOpening:
    @pytest.mark.parametrize("payload", [None, {}, {"token": "secret"}])
    def test_init_is_handed_over_with_its_payload(self, dialect: Dialect, payload: Any) -> None:
        protocol = dialect.in_state(State.OPENED)
        assert protocol.receive(json.dumps({"type": "connection_init", "payload": payload})) == [
            ConnectionInit(payload=payload)
        ]

    def test_init_needs_no_payload(self, dialect: Dialect) -> None:
        protocol = dialect.in_state(State.OPENED)
        assert protocol.receive('{"type": "connection_init"}') == [ConnectionInit(payload=None)]

    @pytest.mark.parametrize(
        ("payload", "sent"), [(None, {}), ({"welcome": True}, {"payload": {"welcome": True}})]
    )
    def test_acceptance_acknowledges_first(
        self, dialect: Dialect, payload: Any, sent: dict[str, Any]
    ) -> None:
        protocol = dialect.in_state(State.INITIALISING)
        assert shown(protocol.accept(payload))[0] == {"type": "connection_ack", **sent}

    def test_acceptance_is_known_before_it_is_sent(self, dialect: Dialect) -> None:
        protocol = dialect.in_state(State.INITIALISING)
        protocol.accept()
        assert protocol.state is State.ACKNOWLEDGED

    @pytest.mark.parametrize("state", [State.OPENED, State.ACKNOWLEDGED, State.CLOSED])
    def test_only_an_init_is_answered(self, dialect: Dialect, state: State) -> None:
        protocol = dialect.in_state(state)
        assert protocol.accept() == protocol.refuse() == []
        assert protocol.state is state

    @pytest.mark.parametrize("state", [State.INITIALISING, State.ACKNOWLEDGED])
    def test_slow_judging_is_no_time_out(self, dialect: Dialect, state: State) -> None:
        assert dialect.in_state(state).init_timed_out() == []


INIT = '{"type": "connection_init"}'


class TestCloses:
    @pytest.mark.parametrize(
        ("states", "happens", "code", "reason"),
        [
            (
                [State.INITIALISING],
                lambda dialect, protocol: protocol.refuse()[-1:],
                4403,
                "Forbidden",
            ),
            (
                [State.INITIALISING],
                lambda dialect, protocol: protocol.refuse("Token expired")[-1:],
                4403,
                "Token expired",
            ),
            (
                [State.OPENED],
                lambda dialect, protocol: protocol.receive(dialect.beginning()),
                4401,
                "Unauthorized",
            ),
            (
                [State.OPENED],
                lambda dialect, protocol: protocol.init_timed_out(),
                4408,
                "Connection initialisation timeout",
            ),
            (
                [State.INITIALISING, State.ACKNOWLEDGED],
                lambda dialect, protocol: protocol.receive(INIT),
                4429,
                "Too many initialisation requests",
            ),
            (
                OPEN_STATES,
                lambda dialect, protocol: protocol.receive(b"{}"),
                4400,
                "Messages are text, not binary",
            ),
            (
                OPEN_STATES,
                lambda dialect, protocol: protocol.receive("[" * 65_537),
                4400,
                "Message is larger than 65536 bytes",
            ),
            (
                OPEN_STATES,
                lambda dialect, protocol: protocol.receive("é" * 32_769),
                4400,
                "Message is larger than 65536 bytes",
            ),
            (
                OPEN_STATES,
                lambda dialect, protocol: protocol.fail()[-1:],
                4500,
                "Internal server error",
            ),
            (
                OPEN_STATES,
                lambda dialect, protocol: protocol.peer_silent(),
                4006,
                "No answer to ping",
            ),
            (
                OPEN_STATES,
                lambda dialect, protocol: protocol.peer_stalled(),
                4008,
                "Too slow to read",
            ),
            (
                OPEN_STATES,
                lambda dialect, protocol: protocol.restart(),
                4012,
                "Server restarting",
            ),
            (
                OPEN_STATES,
                lambda dialect, protocol: protocol.unavailable()[-1:],
                4013,
                "Try again later",
            ),
        ],
        ids=[
            *("refused", "refused-why", "no-init", "late-init", "second-init", "binary"),
            *("large", "large-utf-8", "fault", "silent", "stalled", "restart", "away"),
        ],
    )
    def test_the_code_and_the_reason(
        self,
        dialect: Dialect,
        states: list[State],
        happens: Callable[[Dialect, ServerProtocol], list[Any]],
        code: int,
        reason: str,
    ) -> None:
        for state in states:
            protocol = dialect.in_state(state)
            assert happens(dialect, protocol) == [Close(CloseCode(code), reason)]
            assert protocol.state is State.CLOSED

    @pytest.mark.parametrize(
        "happens",
        [
            lambda dialect, protocol: protocol.receive(INIT),
            lambda dialect, protocol: protocol.receive(dialect.beginning()),
            lambda dialect, protocol: protocol.receive(dialect.ending()),
            lambda dialect, protocol: protocol.receive("nonsense"),
            lambda dialect, protocol: protocol.receive(b""),
            lambda dialect, protocol: protocol.next("1", "{}"),
            lambda dialect, protocol: protocol.error("1", "[]"),
            lambda dialect, protocol: protocol.complete("1"),
            lambda dialect, protocol: protocol.fail(),
            lambda dialect, protocol: protocol.init_timed_out(),
            lambda dialect, protocol: protocol.heartbeat(),
            lambda dialect, protocol: protocol.peer_silent(),
            lambda dialect, protocol: protocol.peer_stalled(),
            lambda dialect, protocol: protocol.restart(),
            lambda dialect, protocol: protocol.unavailable(),
        ],
    )
    def test_nothing_comes_after_one(
        self, dialect: Dialect, happens: Callable[[Dialect, ServerProtocol], list[Any]]
    ) -> None:
        protocol = dialect.running()
        protocol.fail()
        assert happens(dialect, protocol) == []

    def test_a_reason_is_cut_to_what_a_close_frame_holds(self, dialect: Dialect) -> None:
        close = dialect.in_state(State.INITIALISING).refuse("é" * 200)[-1]
        assert close == Close(CloseCode.FORBIDDEN, "é" * 61)


class TestLimits:
    def test_a_message_may_have_64_kib(self, dialect: Dialect) -> None:
        protocol = dialect.in_state(State.ACKNOWLEDGED)
        room = 65_536 - len(dialect.beginning(payload={"query": ""}))
        [event] = protocol.receive(dialect.beginning(payload={"query": "x" * room}))
        assert isinstance(event, Subscribe)

    def test_the_size_of_messages_can_be_set(self, dialect: Dialect) -> None:
        protocol = dialect.in_state(State.ACKNOWLEDGED, max_message_size=100)
        assert protocol.receive(" " * 101) == [
            Close(CloseCode(4400), "Message is larger than 100 bytes")
        ]

    def test_one_operation_too_many_gets_an_error_and_the_socket_stays(
        self, dialect: Dialect
    ) -> None:
        protocol = dialect.running(*map(str, range(100)))
        assert shown(protocol.receive(dialect.beginning("x"))) == dialect.errors(
            [
                {
                    "message": "A connection may have 100 operations at once",
                    "extensions": {"code": "TOO_MANY_OPERATIONS"},
                }
            ],
            id="x",
        )
        assert protocol.state is State.ACKNOWLEDGED

    def test_what_was_one_too_many_does_not_run(self, dialect: Dialect) -> None:
        protocol = dialect.running("1", "2", max_operations=1)
        assert protocol.next("2", "{}") == []

    @pytest.mark.parametrize(
        "end",
        [
            lambda dialect, protocol: protocol.complete("1"),
            lambda dialect, protocol: protocol.error("1", "[]"),
            lambda dialect, protocol: protocol.receive(dialect.ending("1")),
        ],
        ids=["complete", "error", "client"],
    )
    def test_what_has_ended_is_not_counted(
        self, dialect: Dialect, end: Callable[[Dialect, ServerProtocol], object]
    ) -> None:
        protocol = dialect.running("1", max_operations=1)
        end(dialect, protocol)
        assert protocol.receive(dialect.beginning("2")) == [Subscribe(id="2", payload=QUERY)]


class TestOperations:
    @pytest.mark.parametrize(
        "payload",
        [
            QUERY,
            {"query": "", "operationName": None, "variables": None, "extensions": None},
            {"query": "", "operationName": "A", "variables": {"a": 1}, "extensions": {"b": []}},
            {"query": "", "unknown": 1},
        ],
    )
    def test_one_is_handed_over(self, dialect: Dialect, payload: dict[str, Any]) -> None:
        protocol = dialect.in_state(State.ACKNOWLEDGED)
        assert protocol.receive(dialect.beginning(payload=payload)) == [
            Subscribe(id="1", payload=payload)
        ]

    def test_a_result_is_framed_around_its_json(self, dialect: Dialect) -> None:
        assert shown(dialect.running().next("1", '{"data": null}')) == [
            {"id": "1", "type": dialect.result, "payload": {"data": None}}
        ]

    def test_an_id_is_quoted_as_json_has_it(self, dialect: Dialect) -> None:
        id = '"\\\ud800é'
        assert shown(dialect.running(id).next(id, "{}")) == [
            {"id": id, "type": dialect.result, "payload": {}}
        ]

    def test_completion_is_told(self, dialect: Dialect) -> None:
        assert shown(dialect.running().complete("1")) == [{"id": "1", "type": "complete"}]

    def test_errors_are_told(self, dialect: Dialect) -> None:
        errors = [{"message": "no"}]
        assert shown(dialect.running().error("1", json.dumps(errors))) == dialect.errors(errors)

    @pytest.mark.parametrize(
        "end",
        [
            lambda dialect, protocol: protocol.complete("1"),
            lambda dialect, protocol: protocol.error("1", "[]"),
            lambda dialect, protocol: protocol.receive(dialect.ending("1")),
        ],
        ids=["complete", "error", "client"],
    )
    def test_what_has_ended_says_nothing_and_its_id_is_free(
        self, dialect: Dialect, end: Callable[[Dialect, ServerProtocol], object]
    ) -> None:
        protocol = dialect.running()
        end(dialect, protocol)
        assert protocol.next("1", "{}") == protocol.error("1", "[]") == protocol.complete("1") == []
        assert protocol.receive(dialect.beginning()) == [BEGUN]

    def test_the_end_of_one_leaves_the_others(self, dialect: Dialect) -> None:
        protocol = dialect.running("1", "2")
        protocol.complete("1")
        assert shown(protocol.next("2", "{}")) == [
            {"id": "2", "type": dialect.result, "payload": {}}
        ]

    def test_the_client_ends_one(self, dialect: Dialect) -> None:
        assert dialect.running().receive(dialect.ending())[0] == Complete(id="1")

    @pytest.mark.parametrize("state", [State.OPENED, State.ACKNOWLEDGED])
    def test_the_end_of_what_is_not_there_is_ignored(self, dialect: Dialect, state: State) -> None:
        assert dialect.in_state(state).receive(dialect.ending("2")) == []


def with_each(field: str, values: list[Any], expected: str) -> list[tuple[dict[str, Any], str]]:
    """Return the fields of messages that are wrong in one, and what is said of it."""
    outer, _, name = field.partition(".")
    fault = f"{field} must be {expected}"
    return [({outer: {**QUERY, name: value} if name else value}, fault) for value in values]


class TestBadMessages:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "Message is not valid JSON"),
            ("nonsense", "Message is not valid JSON"),
            ("{'type': 1}", "Message is not valid JSON"),
            ('{"type": "ping", "payload": {"n": NaN}}', "Message is not valid JSON"),
            ('{"type": "ping", "payload": {"n": -Infinity}}', "Message is not valid JSON"),
            ('{"type": "ping", "payload": {"n": 1e999}}', "Message is not valid JSON"),
            ('{"type": "ping", "payload": {"n": %s}}' % ("9" * 5000), "Message is not valid JSON"),
            ("[" * 10_000, "Message is not valid JSON"),
            ("[" * 10_000 + "]" * 10_000, "Message is not valid JSON"),
            ('{"type": ' * 5000, "Message is not valid JSON"),
            *[
                (text, "Message is not a JSON object")
                for text in ("[]", "[{}]", "null", "true", "1", "1.5", '"text"')
            ],
        ],
    )
    def test_what_is_no_message_is_answered(self, dialect: Dialect, text: str, reason: str) -> None:
        for state in OPEN_STATES:
            assert shown(dialect.in_state(state).receive(text)) == dialect.malformed(reason)

    @pytest.mark.parametrize(
        ("fields", "fault"),
        [
            *with_each("id", ["", None, True, False, 1.5, [], ["1"], {}], "a non-empty string"),
            *with_each("payload", [None], "an object"),
            *with_each("payload", [[], "text", 1, 0, True, False], "an object or null"),
            ({"payload": {}}, "payload.query must be a string"),
            *with_each("payload.query", [None, 1, True, [], {}], "a string"),
            *with_each("payload.operationName", [1, 0, True, False, [], {}], "a string or null"),
            *with_each("payload.variables", [[], "", 1, 0, True, False], "an object or null"),
            *with_each("payload.extensions", [[], "", 1, 0, True, False], "an object or null"),
        ],
    )
    def test_a_field_that_is_wrong_is_named(
        self, dialect: Dialect, fields: dict[str, Any], fault: str
    ) -> None:
        message = {"id": "1", "type": dialect.begin, "payload": QUERY, **fields}
        protocol = dialect.in_state(State.ACKNOWLEDGED)
        answer = protocol.receive(json.dumps(message))
        reason = f"Invalid {dialect.begin} message: {fault}"
        assert shown(answer) == dialect.faulty(reason, message["id"])

    @pytest.mark.parametrize("field", ["id", "payload"])
    def test_a_field_that_is_missing_is_named(self, dialect: Dialect, field: str) -> None:
        message = {"id": "1", "type": dialect.begin, "payload": QUERY}
        del message[field]
        [answer] = shown(dialect.in_state(State.ACKNOWLEDGED).receive(json.dumps(message)))
        expected = {"id": "id must be a non-empty string", "payload": "payload must be an object"}
        reason = f"Invalid {dialect.begin} message: {expected[field]}"
        assert [answer] == dialect.faulty(reason, message.get("id"))

    @pytest.mark.parametrize("payload", [["text"], "text", 1, 0, True, False])
    def test_the_payload_of_an_init_is_an_object(self, dialect: Dialect, payload: Any) -> None:
        protocol = dialect.in_state(State.OPENED)
        answer = protocol.receive(json.dumps({"type": "connection_init", "payload": payload}))
        reason = "Invalid connection_init message: payload must be an object or null"
        assert answer[-1] == Close(CloseCode.BAD_REQUEST, reason)
        if dialect is LEGACY:
            assert shown(answer[:-1]) == dialect.malformed(reason)

    def test_a_type_of_any_depth_is_answered(self, dialect: Dialect) -> None:
        for depth in range(100, 1100, 3):
            nested = "[" * depth + "]" * depth
            [event] = dialect.in_state(State.OPENED).receive(f'{{"type": {nested}}}')
            assert isinstance(event, Frame | Close)


class TestHeartbeat:
    @pytest.mark.parametrize("state", State)
    def test_it_is_what_the_dialect_has_then(self, dialect: Dialect, state: State) -> None:
        expected = {
            TRANSPORT_WS: {state: [{"type": "ping"}] for state in OPEN_STATES},
            LEGACY: {State.ACKNOWLEDGED: [{"type": "ka"}]},
        }
        assert shown(dialect.in_state(state).heartbeat()) == expected[dialect].get(state, [])

    @pytest.mark.parametrize("state", State)
    def test_it_can_be_off(self, dialect: Dialect, state: State) -> None:
        assert dialect.in_state(state, keep_alive=False).heartbeat() == []

    def test_whether_it_is_answered_is_said(self, dialect: Dialect) -> None:
        assert dialect.protocol.ANSWERS_HEARTBEAT is (dialect is TRANSPORT_WS)


class TestNegotiation:
    def test_a_dialect_that_is_offered_is_spoken(self, dialect: Dialect) -> None:
        assert negotiate([dialect.protocol.SUBPROTOCOL]) is dialect.protocol
        assert negotiate(["graphql-sse", dialect.protocol.SUBPROTOCOL]) is dialect.protocol
