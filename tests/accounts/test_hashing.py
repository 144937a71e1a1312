"""Passwords are hashed on threads of their own, a few at a time."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher

from accounts.models import User
from realtime import hashing
from realtime.rates import Rate
from realtime.testing import OperationError
from tests.accounts.conftest import Ask, caller_over_http
from tests.accounts.test_password_change import CHANGE
from tests.accounts.test_registration import CREATE, GOOD
from tests.accounts.test_sessions import LOGIN
from tests.addresses import from_address


class SlowHasher(MD5PasswordHasher):
    """Hashes once the test says so."""

    algorithm = "slow"
    begun = threading.Semaphore(0)
    may_end = threading.Event()

    def encode(self, password: str, salt: str) -> str:
        self.begun.release()
        assert self.may_end.wait(30)
        return super().encode(password, salt)


@pytest.fixture
def realtime_settings(settings: Any) -> Callable[..., None]:
    def change(**entries: Any) -> None:
        settings.REALTIME = {**settings.REALTIME, **entries}

    return change


@pytest.fixture(autouse=True)
def _turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hashing, "_rate", Rate())
    hashing._turns.cache_clear()
    yield
    hashing._turns.cache_clear()


@pytest.fixture
async def slow(
    users: tuple[User, User], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[type[SlowHasher]]:
    """Have hashing wait for the test; the users' own hashes are of another kind."""
    monkeypatch.setattr(SlowHasher, "begun", threading.Semaphore(0))
    monkeypatch.setattr(SlowHasher, "may_end", threading.Event())
    settings.PASSWORD_HASHERS = [
        f"{__name__}.SlowHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    yield SlowHasher
    SlowHasher.may_end.set()


async def refusal(asking: asyncio.Future[Any]) -> dict[str, Any]:
    with pytest.raises(OperationError) as caught:
        await asking
    [error] = caught.value.errors
    extensions: dict[str, Any] = error["extensions"]
    return extensions


def attempts(application: Any, number: int) -> list[asyncio.Future[Any]]:
    """Log in so many times at once, each from an address of its own."""
    return [
        asyncio.ensure_future(
            caller_over_http(from_address(application, f"192.0.2.{each}"))(
                LOGIN, name="user_one", password="pass"
            )
        )
        for each in range(number)
    ]


async def test_nobody_waits_for_logins(
    application: Any, ask: Ask, slow: type[SlowHasher], settings: Any
) -> None:
    settings.CLEW_DEMO = True
    logins = attempts(application, 12)
    await asyncio.to_thread(slow.begun.acquire)
    assert await ask("{ hello }") == {"hello": "Hello world!"}
    assert (await ask('{ userId(username: "user_two") }'))["userId"]
    assert (await ask("mutation { logout { ok } }"))["logout"]["ok"]
    slow.may_end.set()
    assert all(answer["login"]["ok"] for answer in await asyncio.gather(*logins))


async def test_so_many_wait_and_others_are_refused(
    application: Any, slow: type[SlowHasher], realtime_settings: Any
) -> None:
    realtime_settings(HASHING_THREADS=1, HASHING_QUEUE=2)
    logins = attempts(application, 5)
    await asyncio.wait(logins, return_when=asyncio.FIRST_COMPLETED)
    slow.may_end.set()
    answers = await asyncio.gather(*logins, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, OperationError)]
    assert [each.errors[0]["extensions"] for each in refused] == [
        {"code": "UNAVAILABLE", "retryAfter": 1}
    ] * 2


class TestRate:
    @pytest.fixture(autouse=True)
    def _rate(self, realtime_settings: Any) -> None:
        realtime_settings(HASHING_RATE=0.01, HASHING_BURST=2)

    @pytest.mark.parametrize(
        ("operation", "variables"),
        [
            (LOGIN, {"name": "user_one", "password": "pass"}),
            (CREATE, GOOD),
            (CHANGE, {"old": "pass", "new": "another ball of thread"}),
        ],
    )
    async def test_an_address_may_have_so_many_hashes(
        self, operation: str, variables: dict[str, Any], ask: Ask, users: tuple[User, User]
    ) -> None:
        for _ in range(2):
            await ask(LOGIN, name="user_two", password="pass")
        extensions = await refusal(asyncio.ensure_future(ask(operation, **variables)))
        assert extensions["code"] == "RATE_LIMITED"
        assert extensions["retryAfter"] == 100

    async def test_other_addresses_go_on(
        self, application: Any, ask: Ask, users: tuple[User, User]
    ) -> None:
        for _ in range(2):
            await ask(LOGIN, name="user_two", password="pass")
        other = caller_over_http(from_address(application, "192.0.2.99"))
        assert (await other(LOGIN, name="user_one", password="pass"))["login"]["ok"]

    async def test_users_without_a_password_need_no_hash(self, ask: Ask, settings: Any) -> None:
        settings.CLEW_DEMO = True
        for number in range(3):
            answer = await ask(CREATE, name=f"user_{number}")
            assert answer["createUser"]["success"]
