"""The examples that GraphiQL opens with."""

import pytest
from graphql import parse, validate

from accounts.models import User
from django_project.explorer import example_tabs
from orders.models import Order
from realtime.database import in_database
from realtime.testing import GraphQLClient


@pytest.mark.parametrize("query", [tab["query"] for tab in example_tabs()])
def test_an_example_is_one_valid_operation(query: str) -> None:
    from django_project.schema import schema

    document = parse(query)
    assert validate(schema, document) == []
    assert len(document.definitions) == 1


def test_every_root_field_has_an_example() -> None:
    from django_project.schema import schema

    examples = "".join(tab["query"] for tab in example_tabs())
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert root is not None
        for name in root.fields:
            assert f"  {name}" in examples


async def test_the_example_of_orders_tells_a_delete_from_a_change(
    graphql_client: GraphQLClient, users: tuple[User, User]
) -> None:
    [query] = [
        tab["query"] for tab in example_tabs() if "subscription getLastOrder" in tab["query"]
    ]
    order = await Order.objects.acreate(user=users[0])
    subscription = await graphql_client.subscribe(query)
    await subscription.receive()
    for change, deleted in ((Order.objects.update, False), (Order.objects.all().delete, True)):
        await in_database(change)(**({} if deleted else {"state": "PAID"}))
        told = (await subscription.receive())["getOrder"]
        assert (told["id"], told["deleted"]) == (str(order.pk), deleted)
