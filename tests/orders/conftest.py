"""Fixtures of the tests of orders."""

from typing import Any

import pytest

from tests.people import Person, person


@pytest.fixture
def outside_demo(settings: Any) -> None:
    settings.CLEW_DEMO = False


@pytest.fixture
def ariadne(transactional_db: None) -> Person:
    return person("ariadne")


@pytest.fixture
def theseus(transactional_db: None) -> Person:
    return person("theseus")


@pytest.fixture
def clerk(transactional_db: None) -> Person:
    """One of the staff, who has no permission."""
    return person("clerk", is_staff=True)


@pytest.fixture
def cashier(transactional_db: None) -> Person:
    """One of the staff, who may view orders."""
    return person("cashier", "orders.view_order")
