"""Results are shared among those who are shown the same of orders, and nobody else."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from accounts.viewer import Info, viewer
from orders.models import Order
from realtime.database import in_database
from tests.people import Person, person

FOLLOW = "subscription { getOrder { user { email } } }"


@pytest.fixture
def people(transactional_db: None) -> list[Person]:
    """The owner, two who see all of an order, and two who lack a right each."""
    return [
        person("owner"),
        person("manager", "orders.view_order", "accounts.view_user"),
        person("deputy", "orders.view_order", "accounts.view_user"),
        person("cashier", "orders.view_order"),
        person("registrar", "accounts.view_user"),
    ]


@pytest.fixture
def _telling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the field say for whom it was resolved, instead of the email."""
    from django_project.schema import schema

    def resolve(_: Any, info: Info) -> str:
        asker = viewer(info)
        return "anybody" if asker is None else asker.username

    user: Any = schema.get_type("User")
    monkeypatch.setattr(user.fields["email"], "resolve", resolve)


@pytest.mark.usefixtures("_telling")
async def test_nobody_gets_what_was_made_for_one_with_other_rights(
    people: list[Person], settings: Any
) -> None:
    settings.CLEW_DEMO = False
    owner, *_, registrar = people
    for buyer in (owner, registrar):
        await in_database(Order.objects.create)(user=buyer.user)
    async with AsyncExitStack() as stack:
        subscriptions = {}
        for each in people:
            client = await stack.enter_async_context(each.client())
            subscriptions[each.user.username] = await client.subscribe(FOLLOW)
            await subscriptions[each.user.username].receive()
        await in_database(Order.objects.update)(state="PAID")
        resolved_for = {}
        for name, subscription in subscriptions.items():
            result = (await subscription.receive())["getOrder"]
            resolved_for[name] = result["user"]["email"]
    assert resolved_for.pop("manager") == resolved_for.pop("deputy")
    assert resolved_for == {name: name for name in ("owner", "cashier", "registrar")}
