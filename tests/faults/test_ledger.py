"""The judge of the fault harness sees what is wrong."""

import pytest

from tests.faults.ledger import Record, Verdict, judge

HISTORY = {"t": ["a", "b", "c", "d"]}


def verdict(received: str) -> Verdict:
    return judge([Record(topic="t", received=list(received))], HISTORY)


def test_what_happened_in_order_is_perfect() -> None:
    assert verdict("abcd") == Verdict(expected=4, deliveries=4)
    assert verdict("abcd").is_perfect


@pytest.mark.parametrize(
    ("received", "fault"),
    [
        ("abd", {"lost": 1}),
        ("", {"lost": 4}),
        ("abbcd", {"doubled": 1}),
        ("abcdab", {"doubled": 2}),
        ("abdc", {"reordered": 1}),
        ("dabc", {"reordered": 1}),
        ("abxcd", {"undone": 1}),
        ("ad!", {"lost": 2, "undone": 1}),
    ],
)
def test_each_fault_is_counted(received: str, fault: dict[str, int]) -> None:
    assert verdict(received) == Verdict(expected=4, deliveries=len(received), **fault)
    assert not verdict(received).is_perfect


def test_an_undone_change_in_the_log_is_seen() -> None:
    found = judge([Record(topic="t", received=["!a"])], {"t": ["!a"]})
    assert found == Verdict(expected=1, deliveries=1, undone=1)


def test_several_are_added_up() -> None:
    records = [Record(topic="t", received=list("abc")), Record(topic="t", received=list("bacd"))]
    assert judge(records, HISTORY) == Verdict(expected=8, deliveries=7, lost=1, reordered=1)
