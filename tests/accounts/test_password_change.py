"""changePassword: which passwords it takes, and which sessions it ends."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from accounts.models import User
from realtime.protocols import DIALECTS
from realtime.testing import GraphQLClient, OperationError
from tests.accounts.conftest import Ask, Connect, caller_over_http
from tests.accounts.test_sessions import LOGIN, ME, SEND

CHANGE = """mutation Change($old: String!, $new: String!) {
    changePassword(oldPassword: $old, newPassword: $new) { success errors token } }"""
ROOM = 'subscription { onNewChatMessage(chatroom: "kittens") { text } }'
NEW = "a ball of thread"


async def log_in(connect: Connect) -> tuple[Ask, str]:
    ask = await connect()
    token = (await ask(LOGIN, name="user_one", password="pass"))["login"]["token"]
    return ask, token


async def test_the_new_password_is_good_and_the_old_is_not(
    connect: Connect, users: tuple[User, User]
) -> None:
    ask, _ = await log_in(connect)
    answer = (await ask(CHANGE, old="pass", new=NEW))["changePassword"]
    assert answer == {"success": True, "errors": None, "token": answer["token"]}
    for password, ok in ((NEW, True), ("pass", False)):
        login = await (await connect())(LOGIN, name="user_one", password=password)
        assert login["login"]["ok"] is ok


async def test_this_session_goes_on_under_a_new_token(
    connect: Connect, users: tuple[User, User], application: Any
) -> None:
    ask, old = await log_in(connect)
    new = (await ask(CHANGE, old="pass", new=NEW))["changePassword"]["token"]
    assert (await ask(ME))["me"]["username"] == "user_one"
    assert (await caller_over_http(application, new)(ME))["me"]["username"] == "user_one"
    assert await caller_over_http(application, old)(ME) == {"me": None}


async def test_other_sessions_end(
    connect: Connect, users: tuple[User, User], application: Any
) -> None:
    _, other = await log_in(connect)
    ask, _ = await log_in(connect)
    await ask(CHANGE, old="pass", new=NEW)
    assert await caller_over_http(application, other)(ME) == {"me": None}


class TestOverWebSocket:
    @pytest.fixture(params=[dialect.SUBPROTOCOL for dialect in DIALECTS])
    async def connections(
        self, request: pytest.FixtureRequest, application: Any, users: tuple[User, User]
    ) -> AsyncIterator[tuple[GraphQLClient, GraphQLClient]]:
        """Two of one user, each with a login of its own."""
        async with (
            GraphQLClient(application, subprotocol=request.param) as one,
            GraphQLClient(application, subprotocol=request.param) as other,
        ):
            for client in (one, other):
                await client.mutate(LOGIN, {"name": "user_one", "password": "pass"})
            yield one, other

    async def test_a_subscription_of_this_connection_goes_on(
        self, connections: tuple[GraphQLClient, GraphQLClient]
    ) -> None:
        one, _ = connections
        subscription = await one.subscribe(ROOM)
        await one.mutate(CHANGE, {"old": "pass", "new": NEW})
        await one.mutate(SEND)
        assert await subscription.receive() == {"onNewChatMessage": {"text": "Hi all!"}}

    async def test_other_connections_of_the_user_are_closed(
        self, connections: tuple[GraphQLClient, GraphQLClient]
    ) -> None:
        one, other = connections
        subscription = await other.subscribe(ROOM)
        await one.mutate(CHANGE, {"old": "pass", "new": NEW})
        with pytest.raises(OperationError) as caught:
            await subscription.receive()
        assert caught.value.codes == ["UNAUTHENTICATED"]
        assert (await other.closed())[0] == 4403


@pytest.mark.parametrize(
    ("new", "error"),
    [
        ("short", "This password is too short. It must contain at least 8 characters."),
        ("password", "This password is too common."),
        ("8374650192837", "This password is entirely numeric."),
        ("user_one1", "The password is too similar to the username."),
        ("one@example.or", "The password is too similar to the email address."),
        ("a ball of\0thread", "The password has characters that cannot be stored"),
    ],
)
async def test_a_password_that_is_refused(
    new: str, error: str, ask: Ask, users: tuple[User, User]
) -> None:
    await ask(LOGIN, name="user_one", password="pass")
    answer = (await ask(CHANGE, old="pass", new=new))["changePassword"]
    assert answer == {"success": False, "errors": [error], "token": None}
    assert (await User.objects.aget(username="user_one")).password == users[0].password


async def test_the_old_password_must_be_right(connect: Connect, users: tuple[User, User]) -> None:
    ask, _ = await log_in(connect)
    answer = (await ask(CHANGE, old="wrong", new=NEW))["changePassword"]
    assert answer["errors"] == ["The old password is wrong"]


async def test_a_stolen_session_cannot_guess_the_password(
    connect: Connect, users: tuple[User, User]
) -> None:
    ask, _ = await log_in(connect)
    for _ in range(5):
        await ask(CHANGE, old="wrong", new=NEW)
    answer = (await ask(CHANGE, old="pass", new=NEW))["changePassword"]
    assert answer["errors"] == ["Too many failed logins. Try again in 15 minutes."]


async def test_anonymous_callers_have_no_password(connect: Connect) -> None:
    with pytest.raises(OperationError) as caught:
        await (await connect())(CHANGE, old="pass", new=NEW)
    assert caught.value.codes == ["UNAUTHENTICATED"]


async def test_in_demo_mode_neither(connect: Connect, settings: Any) -> None:
    settings.CLEW_DEMO = True
    answer = (await (await connect())(CHANGE, old="pass", new=NEW))["changePassword"]
    assert answer["errors"] == ["Log in first"]
