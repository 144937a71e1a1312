"""What anonymous callers may do, outside demo mode and in it."""

from typing import Any

import pytest
from channels.sessions import SessionMiddlewareStack

from accounts.models import User
from messaging.models import RoomMessage
from realtime.testing import GraphQLClient, OperationError
from tests.django_project.conftest import Execute, post

LOGIN = 'mutation login { login(username: "user_one", password: "pass") { ok } }'
SEND = 'mutation send { sendChatMessage(chatroom: "kittens", text: "Hi all!") { ok } }'

OPERATIONS = (
    "{ hello }",
    "{ getOrders { id } }",
    '{ userId(username: "user_one") }',
    SEND,
)


@pytest.mark.parametrize("query", OPERATIONS)
async def test_anonymous_operations_are_refused(query: str, application: Any) -> None:
    result, _ = await post(application, query)
    assert [error["extensions"] for error in result["errors"]] == [{"code": "UNAUTHENTICATED"}]
    assert not await RoomMessage.objects.aexists()


@pytest.mark.parametrize(
    "query",
    [
        "subscription { getOrder { id } }",
        "subscription { count(target: 1) }",
        "subscription { realTimeMessages }",
    ],
)
async def test_anonymous_subscriptions_are_refused(
    query: str, graphql_client: GraphQLClient
) -> None:
    with pytest.raises(OperationError) as caught:
        await graphql_client.subscribe(query)
    assert caught.value.codes == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("around", [None, SessionMiddlewareStack], ids=["alone", "around it"])
async def test_who_logs_in_may(application: Any, users: tuple[User, User], around: Any) -> None:
    if around is not None:
        application = around(application)
    _, headers = await post(application, LOGIN)
    cookie = headers["set-cookie"].split(";")[0]
    result, _ = await post(application, "{ hello }", headers={"cookie": cookie})
    assert result == {"data": {"hello": "Hello world!"}}


def test_every_root_field_but_these_asks_who_it_is() -> None:
    from django_project.schema import schema

    open_fields = {
        f"{root.name}.{name}"
        for root in (schema.query_type, schema.mutation_type, schema.subscription_type)
        if root is not None
        for name, field in root.fields.items()
        if "guarded" not in (field.subscribe or field.resolve).__qualname__
    }
    assert open_fields == {
        "Query.me",
        "Mutation.createUser",
        "Mutation.login",
        "Mutation.logout",
    }


async def test_in_demo_mode_they_may(settings: Any, execute: Execute) -> None:
    settings.CLEW_DEMO = True
    assert await execute(SEND) == {"sendChatMessage": {"ok": True}}
    assert (await RoomMessage.objects.aget()).sender_id is None
