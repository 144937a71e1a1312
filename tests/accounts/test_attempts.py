"""Who fails to log in too often has to wait: in GraphQL over every transport, and in the admin."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import hashers
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import attempts
from accounts.attempts import BUSY, client_address
from accounts.models import User
from accounts.requests import django_request
from accounts.services import user_with_password
from realtime import rates
from realtime.database import in_database
from realtime.rates import Rate
from tests.accounts.conftest import ADDRESS, Ask, Connect
from tests.accounts.test_sessions import LOGIN
from tests.addresses import from_address
from tests.django_project.conftest import post

WAIT = "Too many failed logins. Try again in 15 minutes."
WRONG = "The username or the password is wrong"
LIMIT = 5


async def answered(ask: Ask, name: str = "user_one", password: str = "wrong") -> str | None:
    """Return the one error of a login, None if it is one."""
    login = (await ask(LOGIN, name=name, password=password))["login"]
    assert login["ok"] is (login["errors"] is None)
    return login["errors"][0] if login["errors"] else None


async def fail(ask: Ask, times: int, name: str = "user_one") -> None:
    for _ in range(times):
        await answered(ask, name)


class TestGraphQL:
    @pytest.mark.parametrize("name", ["user_one", "nobody"])
    async def test_the_last_failure_locks_whether_there_is_such_a_user_or_not(
        self, name: str, connect: Connect, users: tuple[User, User]
    ) -> None:
        ask = await connect()
        errors = [await answered(ask, name) for _ in range(LIMIT + 1)]
        assert errors == [WRONG] * (LIMIT - 1) + [WAIT] * 2

    async def test_the_right_password_is_refused_then(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        ask = await connect()
        await fail(ask, LIMIT)
        assert await answered(ask, password="pass") == WAIT

    async def test_a_new_connection_does_not_help(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        await fail(await connect(), LIMIT)
        assert await answered(await connect(), password="pass") == WAIT

    async def test_another_address_is_not_locked(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        await fail(await connect(), LIMIT)
        assert await answered(await connect(address="192.0.2.2"), password="pass") is None

    async def test_another_username_is_not_locked(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        ask = await connect()
        await fail(ask, LIMIT)
        assert await answered(ask, "user_two", "pass") is None

    async def test_without_an_address_the_username_is_locked(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        ask = await connect(address=None)
        await fail(ask, LIMIT)
        assert await answered(ask, password="pass") == WAIT
        assert await answered(ask, "user_two", "pass") is None

    async def test_it_ends_a_quarter_of_an_hour_after_the_last_failure_that_counted(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        ask = await connect()
        await fail(ask, LIMIT)
        await AccessAttempt.objects.aupdate(attempt_time=timezone.now() - timedelta(minutes=14))
        assert await answered(ask, password="pass") == WAIT
        await AccessAttempt.objects.aupdate(attempt_time=timezone.now() - timedelta(minutes=15))
        assert await answered(ask, password="pass") is None

    async def test_a_login_forgets_the_failures_before(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        ask = await connect()
        await fail(ask, LIMIT - 1)
        await answered(ask, password="pass")
        await fail(ask, LIMIT - 1)
        assert await answered(ask, password="pass") is None

    async def test_a_login_of_ones_own_buys_no_more_guesses_at_others(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        ask = await connect()
        await fail(ask, LIMIT - 1)
        assert await answered(ask, "user_two", "pass") is None
        await fail(ask, 1)
        assert await answered(ask, password="pass") == WAIT

    async def test_an_address_is_locked_for_all_after_more_failures(
        self, connect: Connect, users: tuple[User, User], settings: Any
    ) -> None:
        settings.CLEW_ADDRESS_FAILURE_LIMIT = 7
        ask = await connect()
        for name in "abcdef":
            assert await answered(ask, name) == WRONG
        assert await answered(ask, "g") == WAIT
        assert await answered(ask, "user_two", "pass") == WAIT
        assert await answered(await connect(address="192.0.2.2"), "user_two", "pass") is None


async def test_of_guesses_at_the_same_time_no_more_are_compared_than_may_fail(
    users: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0
    encode = hashers.MD5PasswordHasher.encode

    def guess() -> None:
        request = django_request({"path": "/", "client": (ADDRESS, 5000)})
        with suppress(ValidationError):
            assert user_with_password(request, "user_one", "wrong") is None

    def comparing(self: Any, password: str, salt: str) -> str:
        nonlocal compared
        compared += 1
        if compared < 24:
            guess()  # before this one has failed
        return encode(self, password, salt)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", comparing)
    await in_database(guess)()
    assert compared == LIMIT


class TestGuessesFromManyAddresses:
    """They are slowed down, and lock nobody out."""

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[float]:
        """Hold the time still: two attempts a minute after three failures."""
        now = [100.0]
        monkeypatch.setattr(rates, "monotonic", lambda: now[0])
        monkeypatch.setattr(attempts, "_slowed", Rate())
        monkeypatch.setattr(attempts, "_familiar", attempts._Familiar())
        settings.CLEW_USERNAME_FAILURE_LIMIT = 3
        settings.CLEW_USERNAME_RATE = 1 / 30
        return now

    async def guess(self, connect: Connect, numbers: Iterable[int]) -> list[str | None]:
        return [await answered(await connect(address=f"198.51.100.{n}")) for n in numbers]

    async def test_they_take_turns(
        self, connect: Connect, users: tuple[User, User], clock: list[float]
    ) -> None:
        assert await self.guess(connect, range(6)) == [WRONG] * 4 + [BUSY] * 2
        clock[0] += 30
        assert await self.guess(connect, range(6, 8)) == [WRONG, BUSY]

    async def test_the_owner_gets_in_where_it_has_logged_in_before(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        assert await answered(await connect(), password="pass") is None
        await self.guess(connect, range(6))
        assert await answered(await connect(), password="pass") is None

    async def test_the_owner_gets_a_turn_elsewhere(
        self, connect: Connect, users: tuple[User, User], clock: list[float]
    ) -> None:
        await self.guess(connect, range(6))
        clock[0] += 30
        assert await answered(await connect(), password="pass") is None

    async def test_others_are_not_slowed_down(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        await self.guess(connect, range(6))
        ask = await connect(address="198.51.100.1")
        assert await answered(ask, "user_two", "pass") is None

    async def test_a_guess_that_had_no_turn_leaves_no_trace(
        self, connect: Connect, users: tuple[User, User]
    ) -> None:
        await self.guess(connect, range(6))
        assert await AccessAttempt.objects.acount() == 4


async def test_several_logins_in_one_request_are_refused(
    application: Any, users: tuple[User, User]
) -> None:
    logins = "".join(
        f'a{n}: login(username: "user_one", password: "{n}") {{ errors }} ' for n in range(2)
    )
    result, _ = await post(from_address(application, ADDRESS), f"mutation {{ {logins} }}")
    assert [error["extensions"]["code"] for error in result["errors"]] == ["TOO_COSTLY"]
    assert not await AccessAttempt.objects.aexists()


@pytest.mark.parametrize("name", ["user_one", "nobody", "user_without"])
async def test_a_refusal_costs_one_hash_whether_there_is_such_a_user_or_not(
    name: str, ask: Ask, users: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    await User.objects.acreate(username="user_without", password=hashers.make_password(None))
    hashed: list[str] = []
    encode = hashers.MD5PasswordHasher.encode

    def recording(self: Any, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", recording)
    await answered(ask, name)
    assert len(hashed) == 1


async def test_the_log_names_the_client_on_one_line_and_no_password(
    ask: Ask, users: tuple[User, User], caplog: pytest.LogCaptureFixture
) -> None:
    await answered(ask, "user_one\nERROR forged", "a secret")
    [record] = [record for record in caplog.records if record.name.startswith("axes")]
    message = record.getMessage()
    assert f"'user_one\\nERROR forged' at {ADDRESS}" in message
    assert "a secret" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", None),
        ("", None),
    ],
)
def test_an_address_is_what_a_client_cannot_change_at_will(
    client: str, address: str | None
) -> None:
    request = django_request({"path": "/", "client": (client, 5000)})
    assert client_address(request) == address


class TestAdmin:
    @pytest.fixture
    def client(self, transactional_db: None) -> Client:
        User.objects.create_superuser("admin", "admin@example.org", "pass")
        return Client(headers={"host": "127.0.0.1"}, REMOTE_ADDR=ADDRESS)

    def log_in(self, client: Client, password: str) -> Any:
        form = {"username": "admin", "password": password, "csrfmiddlewaretoken": "a token"}
        return client.post(reverse("admin:login"), form)

    def test_its_login_page_says_that_one_has_to_wait(self, client: Client) -> None:
        statuses = [self.log_in(client, "wrong").status_code for _ in range(LIMIT)]
        assert statuses == [200] * (LIMIT - 1) + [429]
        locked = self.log_in(client, "pass")
        assert (locked.status_code, locked.content.decode()) == (429, WAIT)

    def test_the_right_password_is_let_in_before(self, client: Client) -> None:
        self.log_in(client, "wrong")
        assert self.log_in(client, "pass").status_code == 302
        assert not AccessAttempt.objects.exists()

    async def test_graphql_counts_with_it(self, client: Client, connect: Connect) -> None:
        await fail(await connect(), LIMIT, "admin")
        assert (await in_database(self.log_in)(client, "pass")).status_code == 429

    def test_neither_passwords_nor_tokens_are_kept(self, client: Client) -> None:
        self.log_in(client, "a secret")
        kept = AccessAttempt.objects.values_list().get()
        assert "a secret" not in str(kept)
        assert "a token" not in str(kept)

    def test_failed_logins_are_there_to_look_at_and_to_unlock(self, client: Client) -> None:
        for _ in range(LIMIT):
            self.log_in(client, "wrong")
        attempt = AccessAttempt.objects.get()
        client.force_login(User.objects.get())
        page = client.get(reverse("admin:axes_accessattempt_changelist"))
        assert "Locked Out" in page.content.decode()
        change = reverse("admin:axes_accessattempt_change", args=[attempt.pk])
        assert client.get(change).status_code == 200
        delete = reverse("admin:axes_accessattempt_delete", args=[attempt.pk])
        assert client.post(delete, {"post": "yes"}).status_code == 302
        client.logout()
        assert self.log_in(client, "pass").status_code == 302


@pytest.mark.django_db  # on SQLite the checks of a JSONField ask the database
def test_nothing_is_amiss_in_its_settings() -> None:
    assert [message for message in run_checks() if "axes" in str(message.id)] == []
