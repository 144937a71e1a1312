"""Fixtures of the tests of messages."""

import pytest

from tests.people import Person, ariadne, clerk, outside_demo, theseus

__all__ = ["ariadne", "clerk", "outside_demo", "theseus"]


@pytest.fixture
def people(ariadne: Person, theseus: Person, clerk: Person) -> dict[str, Person]:
    return {"ariadne": ariadne, "theseus": theseus, "clerk": clerk}
