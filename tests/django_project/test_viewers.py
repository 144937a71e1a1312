"""Who is asking: anonymous callers, logins over HTTP and over a socket."""

from typing import Any

import pytest

from accounts.models import User
from messaging.models import RoomMessage
from realtime.testing import GraphQLClient, OperationError
from tests.django_project.conftest import post

LOGIN = 'mutation login { login(username: "user_one", password: "pass") { ok } }'
SEND = 'mutation send { sendChatMessage(chatroom: "kittens", text: "Hi all!") { ok } }'


async def sender() -> str | None:
    message = await RoomMessage.objects.select_related("sender").aget()
    return message.sender.username if message.sender else None


class TestLogin:
    async def test_over_http_the_cookie_sends_as_the_user(
        self, application: Any, users: tuple[User, User], queries: list[str]
    ) -> None:
        queries.clear()
        result, headers = await post(application, LOGIN)
        assert result["data"] == {"login": {"ok": True}}
        statements = [sql.split()[0] for sql in queries if "SAVEPOINT" not in sql]
        assert statements == [
            "SELECT",  # the user
            *("BEGIN", "SELECT", "INSERT"),  # a session under a free key
            "UPDATE",  # the user's last login
            "UPDATE",  # the session, with the user in it
            *("SELECT", "SELECT"),  # the user by it, and when it expires
            *("BEGIN", "UPDATE"),  # Channels saves it again with the cookie
        ]
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        await post(application, SEND, headers={"cookie": cookie.split(";")[0]})
        assert await sender() == "user_one"

    async def test_over_a_socket_the_connection_sends_as_the_user(
        self, graphql_client: GraphQLClient, users: tuple[User, User], queries: list[str]
    ) -> None:
        queries.clear()
        assert await graphql_client.mutate(LOGIN) == {"login": {"ok": True}}
        await graphql_client.mutate(SEND)
        assert await sender() == "user_one"

    async def test_another_connection_stays_anonymous(
        self, application: Any, graphql_client: GraphQLClient, users: tuple[User, User]
    ) -> None:
        await graphql_client.mutate(LOGIN)
        async with GraphQLClient(application) as another:
            await another.mutate(SEND)
        assert await sender() is None

    @pytest.mark.parametrize(
        ("name", "password"), [("user_one", "wrong"), ("nobody", "pass"), ("", "")]
    )
    async def test_a_wrong_password_is_no_login(
        self, name: str, password: str, application: Any, users: tuple[User, User]
    ) -> None:
        query = """mutation Login($name: String!, $password: String!) {
            login(username: $name, password: $password) { ok } }"""
        result, headers = await post(application, query, name=name, password=password)
        assert result["data"] == {"login": {"ok": False}}
        assert "set-cookie" not in headers

    async def test_a_deactivated_user_cannot_log_in(
        self, application: Any, users: tuple[User, User]
    ) -> None:
        await User.objects.aupdate(is_active=False)
        assert (await post(application, LOGIN))[0]["data"] == {"login": {"ok": False}}


class TestOutsideDemoMode:
    OPERATIONS = (
        "{ hello }",
        "{ getOrders { id } }",
        '{ userId(username: "user_one") }',
        SEND,
    )

    @pytest.fixture(autouse=True)
    def _no_demo(self, settings: Any) -> None:
        settings.CLEW_DEMO = False

    @pytest.mark.parametrize("query", OPERATIONS)
    async def test_anonymous_operations_are_refused(self, query: str, application: Any) -> None:
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
        self, query: str, graphql_client: GraphQLClient
    ) -> None:
        with pytest.raises(OperationError) as caught:
            await graphql_client.subscribe(query)
        assert caught.value.codes == ["UNAUTHENTICATED"]

    async def test_who_logs_in_may(self, application: Any, users: tuple[User, User]) -> None:
        _, headers = await post(application, LOGIN)
        cookie = headers["set-cookie"].split(";")[0]
        result, _ = await post(application, "{ hello }", headers={"cookie": cookie})
        assert result == {"data": {"hello": "Hello world!"}}


async def test_every_root_field_but_login_asks_who_it_is(settings: Any) -> None:
    from django_project.schema import schema

    settings.CLEW_DEMO = False
    open_fields = [
        f"{root.name}.{name}"
        for root in (schema.query_type, schema.mutation_type, schema.subscription_type)
        if root is not None
        for name, field in root.fields.items()
        if "guarded" not in (field.subscribe or field.resolve).__qualname__
    ]
    assert open_fields == ["Mutation.login"]
