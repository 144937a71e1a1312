"""Long lists of orders come in pages."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orders.models import Order
from realtime.testing import GraphQLClient, OperationError
from tests.people import Person

LIST = "query ($first: Int, $after: ID) { getOrders(first: $first, after: $after) { id } }"
SNAPSHOT = """query ($first: Int, $after: ID) {
    orders(first: $first, after: $after) { orders { id } } }"""


@pytest.fixture(autouse=True)
def _orders(ariadne: Person, theseus: Person, settings: Any) -> None:
    """Orders of five moments, of which three are the same: newest first 4, 5, 3, 2, 1."""
    settings.REALTIME = {**settings.REALTIME, "MAX_PAGE_SIZE": 4}
    for pk, day in ((1, 1), (2, 2), (3, 2), (5, 2), (4, 3)):
        user = theseus if pk == 2 else ariadne
        Order.objects.create(pk=pk, user=user.user, created_at=datetime(2026, 1, day, tzinfo=UTC))


async def page(client: GraphQLClient, query: str, **arguments: Any) -> list[int]:
    data = await client.query(query, arguments)
    orders = data["getOrders"] if query == LIST else data["orders"]["orders"]
    return [int(order["id"]) for order in orders]


@pytest.mark.parametrize("query", [LIST, SNAPSHOT], ids=["getOrders", "orders"])
@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ({}, [4, 5, 3, 2]),
        ({"first": None, "after": None}, [4, 5, 3, 2]),
        ({"first": 2}, [4, 5]),
        ({"first": 0}, []),
        ({"after": "4"}, [5, 3, 2, 1]),
        ({"after": "5", "first": 1}, [3]),
        ({"after": "3"}, [2, 1]),
        ({"after": "1"}, []),
    ],
)
async def test_a_page(
    query: str, arguments: dict[str, Any], ids: list[int], graphql_client: GraphQLClient
) -> None:
    assert await page(graphql_client, query, **arguments) == ids


@pytest.mark.usefixtures("outside_demo")
async def test_a_page_of_the_own_orders(ariadne: Person, queries: list[str]) -> None:
    async with ariadne.client() as client:
        queries.clear()
        assert await page(client, LIST, after="5") == [3, 1]
        assert len(queries) == 2  # when that order was made, orders


@pytest.mark.parametrize("query", [LIST, SNAPSHOT], ids=["getOrders", "orders"])
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"first": 5}, "A page has 0 to 4 objects"),
        ({"after": "abc"}, "No page begins at abc"),
        ({"after": "999"}, "There is no order 999"),
    ],
)
async def test_a_page_that_cannot_be(
    query: str, arguments: dict[str, Any], error: str, graphql_client: GraphQLClient
) -> None:
    with pytest.raises(OperationError, match=error) as caught:
        await page(graphql_client, query, **arguments)
    assert caught.value.codes == ["BAD_USER_INPUT"]


@pytest.mark.usefixtures("outside_demo")
async def test_after_the_order_of_another_is_after_none(ariadne: Person) -> None:
    async with ariadne.client() as client:
        with pytest.raises(OperationError, match="There is no order 2"):
            await page(client, LIST, after="2")
