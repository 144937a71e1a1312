"""Logins, logouts, and what a session is worth afterwards, over every transport."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError

from accounts.models import User
from messaging.models import RoomMessage
from realtime import sessions
from realtime.testing import ConnectionClosedError, OperationError
from tests.accounts.conftest import Connect, caller_over_http
from tests.django_project.conftest import post

LOGIN = """mutation Login($name: String!, $password: String!) {
    login(username: $name, password: $password) {
        ok success errors token user { userId username email } } }"""
LOGOUT = "mutation { logout { ok success errors } }"
ME = "{ me { username email } }"
SEND = 'mutation send { sendChatMessage(chatroom: "kittens", text: "Hi all!") { ok } }'
REFUSED = {
    "ok": False,
    "success": False,
    "errors": ["The username or the password is wrong"],
    "token": None,
    "user": None,
}

USER_ONE = {"name": "user_one", "password": "pass"}


class TestLogin:
    async def test_it_answers_with_the_user_and_a_token(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        ask = await connect()
        answer = (await ask(LOGIN, **USER_ONE))["login"]
        assert answer == {
            "ok": True,
            "success": True,
            "errors": None,
            "token": answer["token"],
            "user": {
                "userId": str(users[0].pk),
                "username": "user_one",
                "email": "one@example.org",
            },
        }
        assert await Session.objects.filter(pk=answer["token"]).aexists()

    async def test_what_follows_is_done_as_the_user(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        ask = await connect()
        await ask(LOGIN, **USER_ONE)
        await ask(SEND)
        message = await RoomMessage.objects.select_related("sender").aget()
        assert message.sender == users[0]

    async def test_another_connection_stays_anonymous(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        await (await connect())(LOGIN, **USER_ONE)
        assert await (await connect())(ME) == {"me": None}

    async def test_the_token_is_good_for_another_connection(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        token = (await (await connect())(LOGIN, **USER_ONE))["login"]["token"]
        assert (await (await connect(token))(ME))["me"]["username"] == "user_one"

    @pytest.mark.parametrize(
        ("name", "password"),
        [
            ("user_one", "wrong"),
            ("nobody", "pass"),
            ("", ""),
            ("x" * 151, "pass"),
            ("user\0one", "pass"),
            ("user_one", "pa\0ss"),
        ],
    )
    async def test_a_wrong_password_is_no_login(
        self, name: str, password: str, connect: Connect, users: tuple[User, User]
    ) -> None:
        ask = await connect()
        assert (await ask(LOGIN, name=name, password=password))["login"] == REFUSED
        assert await ask(ME) == {"me": None}

    async def test_a_deactivated_user_cannot_log_in(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        await User.objects.aupdate(is_active=False)
        assert (await (await connect())(LOGIN, **USER_ONE))["login"] == REFUSED

    async def test_a_user_without_a_password_cannot_log_in(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        await User.objects.acreate(username="user_three", password="!")
        answer = await (await connect())(LOGIN, name="user_three", password="!")
        assert answer["login"] == REFUSED

    async def test_the_session_has_a_key_that_nobody_knew(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        first = (await (await connect())(LOGIN, **USER_ONE))["login"]["token"]
        second = (await (await connect(first))(LOGIN, **USER_ONE))["login"]["token"]
        assert second != first

    async def test_a_key_that_was_planted_stays_worthless(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        planted = "a" * 32
        ask = await connect(planted)
        assert (await ask(LOGIN, **USER_ONE))["login"]["token"] != planted
        assert await (await connect(planted))(ME) == {"me": None}

    async def test_it_is_written_down_when(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        await (await connect())(LOGIN, **USER_ONE)
        assert (await User.objects.aget(username="user_one")).last_login is not None

    async def test_the_username_may_be_written_with_other_characters_of_the_same_meaning(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        answer = await (await connect())(LOGIN, name="ｕser_one", password="pass")
        assert answer["login"]["ok"]

    async def test_over_http_the_answer_sets_a_cookie_that_scripts_cannot_read(
        self, application: Any, users: tuple[User, User]
    ) -> None:
        _, headers = await post(application, LOGIN, name="user_one", password="pass")
        assert "HttpOnly" in headers["set-cookie"]
        assert "SameSite=Lax" in headers["set-cookie"]

    async def test_over_http_a_refusal_sets_no_cookie(
        self, application: Any, users: tuple[User, User]
    ) -> None:
        _, headers = await post(application, LOGIN, name="user_one", password="wrong")
        assert "set-cookie" not in headers


class TestLogout:
    async def test_what_follows_is_refused(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        ask = await connect()
        await ask(LOGIN, **USER_ONE)
        assert await ask(LOGOUT) == {"logout": {"ok": True, "success": True, "errors": None}}
        with pytest.raises((OperationError, ConnectionClosedError)) as caught:
            while True:  # until the connection is closed, which a socket is then
                await ask(SEND)
        match caught.value:
            case OperationError(codes=codes):
                assert codes == ["UNAUTHENTICATED"]
            case ConnectionClosedError(code=code):
                assert code == 4403

    async def test_the_token_is_refused_afterwards(
        self, connect: Connect, users: tuple[User, User], application: Any
    ) -> None:
        ask = await connect()
        token = (await ask(LOGIN, **USER_ONE))["login"]["token"]
        await ask(LOGOUT)
        assert await caller_over_http(application, token)(ME) == {"me": None}

    async def test_other_sessions_go_on(
        self, connect: Connect, users: tuple[User, User], application: Any
    ) -> None:
        ask = await connect()
        other = (await ask(LOGIN, **USER_ONE))["login"]["token"]
        again = await connect()
        await again(LOGIN, **USER_ONE)
        await again(LOGOUT)
        assert (await caller_over_http(application, other)(ME))["me"] is not None

    async def test_it_ends_the_session_also_after_a_login_that_failed(
        self, connect: Connect, users: tuple[User, User], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OperationalError("the database is away")

        token = (await (await connect())(LOGIN, **USER_ONE))["login"]["token"]
        ask = await connect(token)
        with monkeypatch.context() as patched:
            patched.setattr(sessions, "begin", fail)
            with pytest.raises(OperationError):
                await ask(LOGIN, **USER_ONE)
        await ask(LOGOUT)
        assert not await Session.objects.filter(pk=token).aexists()

    async def test_it_is_nothing_to_those_who_are_not_logged_in(self, connect: Connect) -> None:
        assert (await (await connect())(LOGOUT))["logout"]["ok"]


class TestMe:
    async def test_it_is_null_for_anonymous_callers(self, connect: Connect) -> None:
        assert await (await connect())(ME) == {"me": None}

    async def test_it_is_who_is_asking(self, connect: Connect, users: tuple[User, User]) -> None:
        ask = await connect()
        await ask(LOGIN, **USER_ONE)
        assert await ask(ME) == {"me": {"username": "user_one", "email": "one@example.org"}}
