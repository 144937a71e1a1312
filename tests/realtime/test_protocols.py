"""What holds for both dialects, whatever comes, from either side, in any order."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

import realtime.protocols
from realtime.protocols import Close, negotiate
from realtime.protocols.events import Complete, ConnectionInit, Event, Frame, Subscribe
from realtime.protocols.server import State
from tests.realtime.dialects import LEGACY, TRANSPORT_WS, Dialect

LIMIT = 3
TYPES = [
    *("connection_init", "ping", "pong", "subscribe", "complete"),
    *("start", "stop", "connection_terminate", "?"),
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
messages = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES) | json_values},
    optional={
        "id": st.sampled_from(["1", "2", "", 3]) | json_values,
        "payload": json_values | st.fixed_dictionaries({"query": st.text()}),
    },
)
ids = st.sampled_from(["1", "2", "3", "4", 1])
seldom = st.sampled_from([False] * 9 + [True])
"""Whether to do what ends a conversation, so that most become long."""


def loads(text: str) -> Any:
    """Read JSON as strictly as browsers do."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


class Conversation(RuleBasedStateMachine):
    """Anything a client may send, mixed with anything a server may call."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.dialect = dialect
        self.protocol = dialect.protocol(max_operations=LIMIT)
        self.closed = False
        self.inits = 0
        self.active: set[Any] = set()

    def check(self, events: Sequence[Event]) -> None:
        """Hold what came out against what may."""
        over: set[Any] = set()  # the ids whose last frame must come in these events
        for event in events:
            assert not self.closed
            match event:
                case ConnectionInit():
                    self.inits += 1
                    assert self.inits == 1
                case Subscribe(id=id):
                    assert id not in self.active
                    self.active.add(id)
                case Complete(id=id):
                    self.active.remove(id)
                    if self.dialect is LEGACY:
                        over.add(id)
                case Close(reason=reason):
                    assert len(reason.encode()) <= 123
                    self.closed = True
                    self.active.clear()
                case Frame(text=text):
                    self.check_frame(loads(text), over)
        if any(isinstance(event, Subscribe) for event in events):
            over -= self.active  # one that was replaced is not told to have ended
        assert not over

    def check_frame(self, message: Any, over: set[Any]) -> None:
        match message:
            case {"type": "next" | "data", "id": id} if refused(message):
                assert id not in self.active
                over.add(id)
            case {"type": "next" | "data", "id": id}:
                assert id in self.active
            case {"type": "complete", "id": id} if id in over:
                over.remove(id)
            case {"type": "complete", "id": id}:
                self.active.remove(id)
            case {"type": "error", "id": id, "payload": list()}:
                if not refused(message):
                    self.active.remove(id)
            case {"type": kind}:
                newer = self.dialect is TRANSPORT_WS
                own = ("ping", "pong") if newer else ("connection_error", "ka", "error")
                assert kind in {"connection_ack", *own}

    @rule(data=st.text() | st.binary())
    def receive_noise(self, data: str | bytes) -> None:
        if isinstance(data, str) or data.startswith(b"\0"):
            self.check(self.protocol.receive(data))

    @rule(message=messages)
    def receive_something(self, message: Any) -> None:
        self.check(self.protocol.receive(json.dumps(message)))

    @rule()
    def receive_init(self) -> None:
        if self.protocol.state is State.OPENED:
            self.check(self.protocol.receive('{"type": "connection_init"}'))

    @rule(id=ids)
    def receive_beginning(self, id: Any) -> None:
        if self.dialect is LEGACY or id not in {1, *self.active}:
            self.check(self.protocol.receive(self.dialect.beginning(id)))

    @rule(id=ids)
    def receive_end(self, id: Any) -> None:
        if self.dialect is LEGACY or id != 1:
            self.check(self.protocol.receive(self.dialect.ending(id)))

    @rule(yes=st.booleans() | st.just(True))
    def judge(self, yes: bool) -> None:
        self.check(self.protocol.accept() if yes else self.protocol.refuse())

    @rule(id=ids)
    def next(self, id: Any) -> None:
        events = self.protocol.next(id, "{}")
        assert len(events) == (id in self.active)
        self.check(events)

    @rule(id=ids)
    def error(self, id: Any) -> None:
        events = self.protocol.error(id, '[{"message": "no"}]')
        assert bool(events) == (id in self.active)
        self.check(events)
        assert id not in self.active

    @rule(id=ids)
    def complete(self, id: Any) -> None:
        events = self.protocol.complete(id)
        assert len(events) == (id in self.active)
        self.check(events)
        assert id not in self.active

    @rule()
    def heartbeat(self) -> None:
        self.check(self.protocol.heartbeat())

    @rule(really=seldom)
    def time_passes(self, really: bool) -> None:
        if really:
            self.check(self.protocol.init_timed_out())

    @rule(really=seldom)
    def peer_is_silent(self, really: bool) -> None:
        if really:
            self.check(self.protocol.peer_silent())

    @rule(really=seldom)
    def peer_is_stalled(self, really: bool) -> None:
        if really:
            self.check(self.protocol.peer_stalled())

    @rule(really=seldom)
    def restart(self, really: bool) -> None:
        if really:
            self.check(self.protocol.restart())

    @rule(really=seldom)
    def is_unavailable(self, really: bool) -> None:
        if really:
            self.check(self.protocol.unavailable())

    @rule(really=seldom)
    def fail(self, really: bool) -> None:
        if really:
            self.check(self.protocol.fail())

    @invariant()
    def the_limit_holds(self) -> None:
        assert len(self.active) <= LIMIT

    @invariant()
    def the_state_says_whether_it_is_closed(self) -> None:
        assert (self.protocol.state is State.CLOSED) == self.closed


def refused(message: Any) -> bool:
    """Return whether an operation was one too many."""
    payload = message["payload"]
    errors = payload.get("errors", []) if isinstance(payload, dict) else payload
    return any(
        error.get("extensions") == {"code": "TOO_MANY_OPERATIONS"}
        for error in errors
        if isinstance(error, dict)
    )


@pytest.mark.parametrize("dialect", [TRANSPORT_WS, LEGACY], ids=["newer", "legacy"])
def test_any_conversation_keeps_to_the_protocol(dialect: Dialect) -> None:
    run_state_machine_as_test(
        lambda: Conversation(dialect),  # type: ignore[arg-type]  # any callable will do
        settings=settings(max_examples=200, stateful_step_count=40, deadline=None),
    )


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["graphql-ws", "graphql-transport-ws"], "graphql-transport-ws"),
        (["graphql-transport-ws", "graphql-ws"], "graphql-transport-ws"),
        (["GraphQL-WS"], None),
        (["graphql-sse"], None),
        ([], None),
    ],
)
def test_the_newer_dialect_is_preferred_and_an_unknown_one_is_not_spoken(
    offered: list[str], chosen: str | None
) -> None:
    dialect = negotiate(offered)
    assert (dialect.SUBPROTOCOL if dialect else None) == chosen


def test_all_says_what_is_there() -> None:
    for name in realtime.protocols.__all__:
        assert hasattr(realtime.protocols, name)


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Server'"):
        _ = realtime.protocols.Server
