"""Fixtures of the tests of orders."""

import pytest

from tests.people import Person, ariadne, clerk, outside_demo, person, theseus

__all__ = ["ariadne", "clerk", "outside_demo", "theseus"]


@pytest.fixture
def cashier(transactional_db: None) -> Person:
    """One of the staff, who may view orders."""
    return person("cashier", "orders.view_order")
