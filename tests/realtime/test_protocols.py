"""What holds for both dialects, whatever comes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import realtime.protocols
from realtime.protocols import DIALECTS, Close
from realtime.protocols.events import ConnectionInit, Frame
from realtime.protocols.server import ServerProtocol, State

TYPES = [
    *("connection_init", "ping", "pong", "subscribe", "complete"),
    *("start", "stop", "connection_terminate", "?"),
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
messages = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={
        "id": st.sampled_from(["1", "2", "", 3]),
        "payload": json_values | st.fixed_dictionaries({"query": st.text()}),
    },
)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(received=st.lists(st.text() | st.binary() | messages.map(json.dumps), max_size=20))
def test_whatever_comes_yields_frames_or_one_close(
    dialect: type[ServerProtocol], received: list[str | bytes]
) -> None:
    protocol = dialect()
    closes = 0
    for data in received:
        for event in protocol.receive(data):
            assert closes == 0
            if isinstance(event, ConnectionInit):
                protocol.accept()
            elif isinstance(event, Frame):
                json.loads(event.text)
            elif isinstance(event, Close):
                closes += 1
                assert len(event.reason.encode()) <= 123
    assert (protocol.state is State.CLOSED) == (closes == 1)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_type_of_any_depth_is_answered(dialect: type[ServerProtocol]) -> None:
    for depth in range(100, 1100, 3):
        nested = "[" * depth + "]" * depth
        [event] = dialect().receive(f'{{"type": {nested}}}')
        assert isinstance(event, Frame | Close)


def test_all_says_what_is_there() -> None:
    for name in realtime.protocols.__all__:
        assert hasattr(realtime.protocols, name)
