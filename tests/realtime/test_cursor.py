"""Cursors as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import cursor
from realtime.cursor import Position

POSITION = st.builds(
    Position,
    offset=st.integers(0, 10**19 - 1),
    epoch=st.text("0123456789abcdef", max_size=16),
)
POSITIONS = st.dictionaries(st.text(max_size=20), POSITION, min_size=1, max_size=8)


@given(positions=POSITIONS)
def test_positions_come_back_as_they_were(positions: dict[str, Position]) -> None:
    assert cursor.from_text(cursor.to_text(positions), positions.keys()) == positions


@given(positions=POSITIONS)
def test_the_order_of_the_topics_does_not_matter(positions: dict[str, Position]) -> None:
    backwards = dict(reversed(positions.items()))
    assert cursor.to_text(backwards) == cursor.to_text(positions)


@given(positions=POSITIONS, topics=st.sets(st.text(max_size=3), max_size=9))
def test_a_cursor_of_another_number_of_topics_is_recognised(
    positions: dict[str, Position], topics: set[str]
) -> None:
    found = cursor.from_text(cursor.to_text(positions), topics)
    assert (found is None) == (len(topics) != len(positions))


@given(text=st.text() | st.text("0123456789abcdef-,", max_size=60))
def test_any_other_text_is_none(text: str) -> None:
    try:
        found = cursor.from_text(text, ["topic"])
    except ValueError:
        return
    assert found is None or cursor.from_text(cursor.to_text(found), ["topic"]) == found


@pytest.mark.parametrize(
    "text",
    ["", "1", "-", "a-", "a-1,", ",a-1", "a-1,,a-1", "a--1", "A-1", "g-1", "a-1.5", "a-1\n", " a-1",
     "a-٣", "a-" + "1" * 20, "a" * 17 + "-1", "a-1\0", "\ud800-1"],
)  # fmt: skip
def test_what_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # as documented, nothing closer
        cursor.from_text(text, ["topic"])


def test_its_form() -> None:
    positions = {"b": Position(2, "00ff"), "a": Position(0, "")}
    assert cursor.to_text(positions) == "-0,00ff-2"
