"""createUser: who may, and with what."""

import unicodedata
from collections.abc import Iterator
from typing import Any, ClassVar
from unittest.mock import patch

import pytest

from accounts import registrations
from accounts.models import User
from realtime import rates
from realtime.rates import Rate
from tests.accounts.conftest import Ask, Connect
from tests.accounts.test_sessions import LOGIN

CREATE = """mutation Create($name: String!, $password: String, $email: String) {
    createUser(username: $name, password: $password, email: $email) {
        success errors user { username } } }"""
GOOD = {"name": "user_one", "password": "a ball of thread", "email": "one@example.org"}


async def test_anyone_may_register_with_a_password(connect: Connect) -> None:
    ask = await connect()
    assert (await ask(CREATE, **GOOD))["createUser"] == {
        "success": True,
        "errors": None,
        "user": {"username": "user_one"},
    }
    assert (await ask(LOGIN, name="user_one", password=GOOD["password"]))["login"]["ok"]
    user = await User.objects.aget()
    assert user.email == "one@example.org"
    assert not user.is_staff


async def test_the_email_may_be_missing(ask: Ask) -> None:
    answer = await ask(CREATE, name="user_one", password="a ball of thread")
    assert answer["createUser"]["success"]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"name": ""}, "Username: This field cannot be blank."),
        (
            {"name": "x" * 151},
            "Username: Ensure this value has at most 150 characters (it has 151).",
        ),
        (
            {"name": "two words"},
            "Username: Enter a valid username. This value may contain only letters, numbers, and "
            "@/./+/-/_ characters.",
        ),
        ({"name": "a\0b"}, "The username or the email has characters that cannot be stored"),
        ({"email": "nowhere"}, "Email: Enter a valid email address."),
        (
            {"email": "a\0b@example.org"},
            "The username or the email has characters that cannot be stored",
        ),
        (
            {"password": ""},
            "This password is too short. It must contain at least 8 characters.",
        ),
        ({"password": "password"}, "This password is too common."),
        ({"password": "8374650192837"}, "This password is entirely numeric."),
        ({"password": "user_one!"}, "The password is too similar to the username."),
        (
            {"password": "a ball of\0thread"},
            "The password has characters that cannot be stored",
        ),
    ],
)
async def test_what_is_refused(bad: dict[str, str], error: str, ask: Ask) -> None:
    answer = (await ask(CREATE, **{**GOOD, **bad}))["createUser"]
    assert answer == {"success": False, "errors": [error], "user": None}
    assert not await User.objects.aexists()


async def test_a_password_is_told_all_that_is_wrong_with_it(ask: Ask) -> None:
    answer = await ask(CREATE, **{**GOOD, "password": "1234567"})
    assert len(answer["createUser"]["errors"]) == 3


async def test_a_taken_name_is_refused(ask: Ask, users: tuple[User, User]) -> None:
    answer = await ask(CREATE, **GOOD)
    assert answer["createUser"]["errors"] == ["Username is taken"]
    assert (await User.objects.aget(username="user_one")).password == users[0].password


class TestWithoutAPassword:
    async def test_anonymous_callers_may_not(self, ask: Ask) -> None:
        answer = await ask(CREATE, name="user_three")
        assert answer["createUser"] == {
            "success": False,
            "errors": ["Give a password"],
            "user": None,
        }

    async def test_users_may_not(self, ask: Ask, users: tuple[User, User]) -> None:
        await ask(LOGIN, name="user_one", password="pass")
        answer = await ask(CREATE, name="user_three")
        assert answer["createUser"]["errors"] == ["Give a password"]

    async def test_superusers_may(self, ask: Ask, users: tuple[User, User]) -> None:
        await User.objects.aupdate(is_staff=True, is_superuser=True)
        await ask(LOGIN, name="user_one", password="pass")
        assert (await ask(CREATE, name="user_three"))["createUser"]["success"]
        assert not (await User.objects.aget(username="user_three")).has_usable_password()

    async def test_in_demo_mode_anyone_may(self, ask: Ask, settings: Any) -> None:
        settings.CLEW_DEMO = True
        assert (await ask(CREATE, name="user_three"))["createUser"]["success"]


class TestRate:
    """One address may register so many users, since each of them has limits of its own."""

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[float]:
        """Hold the time still: ten an hour, two at once."""
        now = [100.0]
        monkeypatch.setattr(rates, "monotonic", lambda: now[0])
        monkeypatch.setattr(registrations, "_registered", Rate())
        monkeypatch.setattr(registrations, "BURST", 2)
        settings.CLEW_REGISTRATION_RATE = 10
        return now

    async def register(self, ask: Ask, *names: str) -> list[list[str] | None]:
        answers = [await ask(CREATE, **{**GOOD, "name": name}) for name in names]
        return [answer["createUser"]["errors"] for answer in answers]

    LATER: ClassVar = ["Too many registrations from here. Try again in 6 minutes."]

    async def test_one_more_is_refused_and_later_admitted(
        self, connect: Connect, clock: list[float]
    ) -> None:
        ask = await connect()
        assert await self.register(ask, "one", "two", "three") == [None, None, self.LATER]
        clock[0] += 360
        assert await self.register(ask, "three", "four") == [None, self.LATER]

    async def test_what_fails_does_not_count(self, ask: Ask) -> None:
        assert (await self.register(ask, "", "", "", "one", "two", "three"))[3:] == [
            None,
            None,
            self.LATER,
        ]

    async def test_another_address_is_not_affected(self, connect: Connect) -> None:
        await self.register(await connect(), "one", "two")
        assert await self.register(await connect(address="192.0.2.2"), "three") == [None]

    async def test_who_may_add_users_is_not_counted(
        self, ask: Ask, users: tuple[User, User]
    ) -> None:
        await User.objects.aupdate(is_staff=True, is_superuser=True)
        await ask(LOGIN, name="user_one", password="pass")
        assert await self.register(ask, "one", "two", "three") == [None] * 3


class TestLongInput:
    """Unicode normalisation of long texts takes seconds, so their length is checked first."""

    MARKS = "a" + "\u0315\u0300\u05ae" * 10_000

    @pytest.fixture(autouse=True)
    def _normalises_short_texts_only(self) -> Iterator[None]:
        normalise = unicodedata.normalize

        def short_only(form: Any, text: str) -> str:
            assert len(text) <= 1_000
            return normalise(form, text)

        with patch("unicodedata.normalize", short_only):
            yield

    async def test_a_long_username_is_refused(self, ask: Ask) -> None:
        answer = await ask(CREATE, name=self.MARKS, password="a ball of thread")
        assert answer["createUser"]["errors"] == ["The username is longer than 150 characters"]

    async def test_a_long_password_is_refused(self, ask: Ask) -> None:
        answer = await ask(CREATE, name="user_one", password=self.MARKS)
        assert answer["createUser"]["errors"] == ["The password is longer than 1,000 characters"]

    @pytest.mark.parametrize("long", ["name", "password"])
    async def test_a_login_with_long_input_fails(self, long: str, ask: Ask) -> None:
        given = {"name": "user_one", "password": "a ball of thread", long: self.MARKS}
        assert not (await ask(LOGIN, **given))["login"]["ok"]
