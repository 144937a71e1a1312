"""What broadcasts can carry, and what they refuse."""

from collections import UserDict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import models
from hypothesis import given
from hypothesis import strategies as st

from realtime.payloads import Reference, from_text, to_text
from tests.shelf.models import Atlas, Book, Draft

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    # Of times that clocks skip or show twice, none equals its like in another zone.
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=45)))),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
)
KEYS = st.text() | st.just("$")
PAYLOADS = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=10
)


@given(PAYLOADS)
def test_what_is_sent_arrives(payload: Any) -> None:
    assert from_text(to_text(payload)).value({}) == payload


@given(LEAVES)
def test_it_is_of_the_same_type(payload: Any) -> None:
    assert type(from_text(to_text(payload)).value({})) is type(payload)


def test_the_offset_of_a_datetime_stays() -> None:
    sent = datetime.fromisoformat("2026-03-29T01:30:00.000001+05:45")
    arrived = from_text(to_text(sent)).value({})
    assert arrived.utcoffset() == timedelta(hours=5, minutes=45)


def test_tuples_arrive_as_lists() -> None:
    assert from_text(to_text((1, (2,)))).value({}) == [1, [2]]


class State(models.TextChoices):
    PAID = "PAID"


def test_choices_arrive_as_texts() -> None:
    assert type(from_text(to_text(State.PAID)).value({})) is str


def test_an_instance_is_a_reference() -> None:
    payload = from_text(to_text([Book(pk=7), {"same": Book(pk=7), "atlas": Atlas(pk=8)}]))
    book = Reference("shelf.book", None, 7)
    assert payload.references == {book, Reference("shelf.atlas", None, 8)}
    there = Book(pk=7, title="Ariadne")
    assert payload.value({book: there}) == [there, {"same": there, "atlas": None}]


def test_a_primary_key_may_be_of_any_type() -> None:
    draft = Draft(pk=uuid4())
    assert from_text(to_text(draft)).references == {Reference("shelf.draft", None, draft.pk)}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({1}, "cannot carry payload: it is of type set"),
        (b"bytes", "payload: it is of type bytes"),
        ({"a": [1, object()]}, r"payload\['a'\]\[1\]: it is of type object"),
        ({"$": [UserDict()]}, r"payload\['\$'\]\[0\]: it is of type UserDict"),
        (Book, "payload: it is of type ModelBase"),
        (Book.objects.none(), "payload: it is of type PublishedQuerySet"),
        ({"a": {1: 2}}, r"payload\['a'\]: its key 1 is of type int"),
        ({"$": 1, 2: 3}, "payload: its key 2 is of type int"),
    ],
)
def test_other_types_are_refused(payload: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        to_text(payload)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ([float("nan")], r"payload\[0\]: JSON has no nan"),
        (float("-inf"), "payload: JSON has no -inf"),
        ({"book": Book(title="new")}, r"payload\['book'\]: <Book: .*> is not saved"),
    ],
)
def test_so_are_values_that_have_no_name(payload: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        to_text(payload)


@pytest.mark.parametrize(
    "payload", [date(2026, 1, 2), time(3, 4, 5, 6), Decimal("1.50"), timedelta(days=-1, seconds=5)]
)
def test_exactly(payload: Any) -> None:
    assert repr(from_text(to_text(payload)).value({})) == repr(payload)
