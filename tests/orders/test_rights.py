"""Whose orders one may read and follow, outside demo mode."""

from typing import Any

import pytest

from orders.models import Order
from realtime.database import in_database
from realtime.testing import GraphQLClient, OperationError, Subscription
from tests.people import Person

pytestmark = pytest.mark.usefixtures("outside_demo")

LIST = "{ getOrders { description } }"
SNAPSHOT = "{ orders { cursor orders { description } } }"
FOLLOW = "subscription ($id: ID) { getOrder(id: $id) { description state deleted } }"


@pytest.fixture(autouse=True)
def orders(ariadne: Person, theseus: Person, clerk: Person) -> dict[str, Order]:
    """An order of each, named for the person; the last is the newest."""
    return {
        person.user.username: Order.objects.create(
            user=person.user, description=person.user.username
        )
        for person in (ariadne, theseus, clerk)
    }


@pytest.fixture
def people(ariadne: Person, theseus: Person, clerk: Person, cashier: Person) -> dict[str, Person]:
    return {person.user.username: person for person in (ariadne, theseus, clerk, cashier)}


READABLE = [
    ("ariadne", ["ariadne"]),
    ("clerk", ["clerk"]),
    ("cashier", ["clerk", "theseus", "ariadne"]),
]


async def write(description: str, user: Person) -> None:
    await in_database(Order.objects.create)(user=user.user, description=description)


async def told(subscription: Subscription) -> Any:
    return (await subscription.receive())["getOrder"]["description"]


async def refusal(client: GraphQLClient, id: str) -> Any:
    with pytest.raises(OperationError) as caught:
        await client.subscribe(FOLLOW, {"id": id})
    (error,) = caught.value.errors
    return error["message"], error["extensions"]["code"]


@pytest.mark.parametrize(("who", "readable"), READABLE)
async def test_lists_have_what_one_may_read(
    who: str, readable: list[str], people: dict[str, Person]
) -> None:
    async with people[who].client() as client:
        listed = (await client.query(LIST))["getOrders"]
        snapshot = (await client.query(SNAPSHOT))["orders"]["orders"]
    assert [order["description"] for order in listed] == readable
    assert snapshot == listed


async def test_a_list_costs_what_it_costs_in_demo_mode(ariadne: Person, queries: list[str]) -> None:
    async with ariadne.client() as client:
        queries.clear()
        await client.query(LIST)
        assert len(queries) == 1
        queries.clear()
        await client.query(SNAPSHOT)
        assert len(queries) == 2  # head of the topic, orders


@pytest.mark.parametrize(("who", "readable"), READABLE)
async def test_the_newest_that_one_may_read_comes_at_once(
    who: str, readable: list[str], people: dict[str, Person]
) -> None:
    async with people[who].client() as client:
        assert await told(await client.subscribe(FOLLOW)) == readable[0]


@pytest.mark.parametrize(("who", "comes"), [("ariadne", ["hers"]), ("cashier", ["his", "hers"])])
async def test_one_follows_what_one_may_read(
    who: str, comes: list[str], people: dict[str, Person]
) -> None:
    async with people[who].client() as client:
        subscription = await client.subscribe(FOLLOW)
        await subscription.receive()
        await write("his", people["theseus"])
        await write("hers", people["ariadne"])
        assert [await told(subscription) for _ in comes] == comes


@pytest.mark.parametrize(("who", "comes"), [("ariadne", ["hers"]), ("cashier", ["his", "hers"])])
async def test_the_cursor_of_a_list_is_that_of_what_one_follows(
    who: str, comes: list[str], people: dict[str, Person]
) -> None:
    async with people[who].client() as client:
        cursor = (await client.query(SNAPSHOT))["orders"]["cursor"]
        await write("his", people["theseus"])
        await write("hers", people["ariadne"])
        subscription = await client.subscribe(FOLLOW, after=cursor)
        assert [await told(subscription) for _ in comes] == comes


class TestOne:
    async def test_the_own_can_be_followed(
        self, ariadne: Person, orders: dict[str, Order], queries: list[str]
    ) -> None:
        async with ariadne.client() as client:
            queries.clear()
            subscription = await client.subscribe(FOLLOW, {"id": orders["ariadne"].pk})
            assert await told(subscription) == "ariadne"
            assert len(queries) == 4  # may one, heads of the topic and of changes of rights, order

    async def test_its_end_is_told_to_its_owner(
        self, ariadne: Person, orders: dict[str, Order]
    ) -> None:
        async with ariadne.client() as client:
            subscription = await client.subscribe(FOLLOW, {"id": orders["ariadne"].pk})
            await subscription.receive()
            await in_database(orders["ariadne"].delete)()
            assert (await subscription.receive())["getOrder"]["deleted"]

    @pytest.mark.parametrize("who", ["ariadne", "clerk"])
    async def test_that_of_another_is_refused_as_one_that_is_not_there(
        self, who: str, people: dict[str, Person], orders: dict[str, Order]
    ) -> None:
        async with people[who].client() as client:
            refused = {
                await refusal(client, id) for id in (str(orders["theseus"].pk), "999", "abc")
            }
        assert refused == {("This is not your order.", "FORBIDDEN")}

    async def test_staff_who_may_view_orders_follow_any(
        self, cashier: Person, orders: dict[str, Order]
    ) -> None:
        async with cashier.client() as client:
            subscription = await client.subscribe(FOLLOW, {"id": orders["theseus"].pk})
            assert await told(subscription) == "theseus"
            assert await refusal(client, "999") == ("There is no order 999", "BAD_USER_INPUT")


class TestGivenToAnother:
    """An order that goes over to another user is shown to the former no more."""

    async def give(self, order: Order, user: Person) -> None:
        order.user, order.description = user.user, "his"
        await in_database(order.save)()

    async def test_the_former_is_not_told_of_it_among_the_own(
        self, ariadne: Person, theseus: Person, orders: dict[str, Order]
    ) -> None:
        async with ariadne.client() as client:
            subscription = await client.subscribe(FOLLOW)
            await subscription.receive()
            await self.give(orders["ariadne"], theseus)
            await write("hers", ariadne)
            assert await told(subscription) == "hers"

    async def test_nor_of_its_end(
        self, ariadne: Person, theseus: Person, orders: dict[str, Order]
    ) -> None:
        await self.give(orders["ariadne"], theseus)
        await in_database(orders["ariadne"].delete)()
        async with ariadne.client() as client:
            subscription = await client.subscribe(FOLLOW, after="0")
            await write("hers", ariadne)
            assert await told(subscription) == "hers"

    async def test_who_followed_it_alone_is_refused_it(
        self, ariadne: Person, theseus: Person, orders: dict[str, Order]
    ) -> None:
        order = orders["ariadne"]
        async with ariadne.client() as client:
            subscription = await client.subscribe(FOLLOW, {"id": order.pk})
            await subscription.receive()
            await self.give(order, theseus)
            with pytest.raises(OperationError) as caught:
                await subscription.receive()
        assert caught.value.codes == ["FORBIDDEN"]
        assert caught.value.data == {"getOrder": None}

    async def test_who_may_view_orders_is_told(
        self, cashier: Person, theseus: Person, orders: dict[str, Order]
    ) -> None:
        order = orders["ariadne"]
        async with cashier.client() as client:
            subscription = await client.subscribe(FOLLOW, {"id": order.pk})
            await subscription.receive()
            await self.give(order, theseus)
            assert await told(subscription) == "his"
