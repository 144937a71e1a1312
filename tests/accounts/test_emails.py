"""The email of a user: for oneself, and for those who may view users."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from accounts.models import User
from orders.models import Order
from realtime.testing import GraphQLClient
from tests.django_project.conftest import post

LOGIN = 'mutation { login(username: "user_one", password: "pass") { ok } }'
READ = "{ getOrders { user { username email } } }"
REGISTER = """mutation { createUser(username: "user_three", email: "three@example.org",
    password: "a ball of thread") { success user { email } } }"""
OWN, OTHERS = "one@example.org", "two@example.org"


@pytest.fixture
def asking(users: tuple[User, User]) -> User:
    """The first of two, who may view the orders of both when staff."""
    for user in users:
        Order.objects.create(user=user)
    users[0].user_permissions.add(Permission.objects.get(codename="view_order"))
    return users[0]


async def emails(client: GraphQLClient) -> dict[str, str | None]:
    await client.mutate(LOGIN)
    orders = (await client.query(READ))["getOrders"]
    return {order["user"]["username"]: order["user"]["email"] for order in orders}


async def test_a_user_sees_the_own(asking: User, graphql_client: GraphQLClient) -> None:
    assert await emails(graphql_client) == {"user_one": OWN}


async def test_staff_see_the_own_alone(asking: User, graphql_client: GraphQLClient) -> None:
    await User.objects.aupdate(is_staff=True)
    assert await emails(graphql_client) == {"user_one": OWN, "user_two": None}


async def test_a_permission_is_worth_nothing_to_those_who_are_not_staff(
    asking: User, graphql_client: GraphQLClient
) -> None:
    await asking.user_permissions.aadd(await Permission.objects.aget(codename="view_user"))
    await graphql_client.mutate(LOGIN)
    created = (await graphql_client.mutate(REGISTER))["createUser"]
    assert created == {"success": True, "user": {"email": None}}


async def test_staff_that_may_view_users_see_all(
    asking: User, graphql_client: GraphQLClient
) -> None:
    await asking.user_permissions.aadd(await Permission.objects.aget(codename="view_user"))
    await User.objects.aupdate(is_staff=True)
    assert (await emails(graphql_client))["user_two"] == OTHERS


async def test_superusers_see_all(asking: User, graphql_client: GraphQLClient) -> None:
    await User.objects.aupdate(is_staff=True, is_superuser=True)
    assert (await emails(graphql_client))["user_two"] == OTHERS


async def test_in_demo_mode_anyone_sees_all(asking: User, application: Any, settings: Any) -> None:
    settings.CLEW_DEMO = True
    result, _ = await post(application, READ)
    shown = {order["user"]["email"] for order in result["data"]["getOrders"]}
    assert shown == {OWN, OTHERS}


async def test_who_registers_is_not_told_it_back(application: Any, asking: User) -> None:
    result, _ = await post(application, REGISTER)
    assert result["data"]["createUser"] == {"success": True, "user": {"email": None}}
