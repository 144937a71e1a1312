"""Tokens and cookies that stand for nobody: an address may try so many."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from realtime import guesses, rates, sessions
from realtime.database import in_database
from realtime.rates import Rate
from realtime.testing import ConnectionClosedError, GraphQLClient
from tests.addresses import from_address
from tests.realtime.library import Library, reader, token_of
from tests.realtime.streams import answer

pytestmark = pytest.mark.django_db(transaction=True)

Try = Callable[..., Awaitable[bool]]
"""Asks with a key from an address; returns whether it was let in, or is only nobody's."""

UNKNOWN = "0123456789abcdef"
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def way() -> str:
    """It is all one how frames are sent here."""
    return "awaited"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, realtime_settings: Callable[..., None]) -> list[float]:
    """Hold the time still; nothing was tried before."""
    now = [100.0]
    monkeypatch.setattr(rates, "monotonic", lambda: now[0])
    monkeypatch.setattr(guesses, "_missed", Rate())
    monkeypatch.setattr(guesses, "_good", OrderedDict())
    realtime_settings(UNKNOWN_TOKEN_RATE=0.3)  # three in ten seconds
    return now


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the keys for which the database is asked."""
    keys: list[str] = []
    find, user_of = sessions.find, sessions.user_of

    def finding(key: str) -> Any:
        keys.append(key)
        return find(key)

    def finding_user(session: Any) -> Any:
        if not isinstance(session, sessions._AsItIs):
            keys.append(session.session_key)
        return user_of(session)

    monkeypatch.setattr(sessions, "find", finding)
    monkeypatch.setattr(sessions, "user_of", finding_user)
    return keys


@pytest.fixture(params=["token", "cookie", "handshake", "payload"])
def attempt(request: pytest.FixtureRequest, library: Library) -> Try:
    async def over_http(key: str, address: str = HERE) -> bool:
        headers = {
            "token": {"authorization": f"Bearer {key}"},
            "cookie": {"cookie": f"sessionid={key}"},
        }[request.param]
        application = from_address(library.application, address)
        status, _ = await answer(application, "POST", body={"query": "{ me }"}, **headers)
        return status != 429

    async def over_websocket(key: str, address: str = HERE) -> bool:
        options: dict[str, Any] = {
            "handshake": {"headers": {"authorization": f"Bearer {key}"}},
            "payload": {"payload": {"token": key}},
        }[request.param]
        try:
            async with GraphQLClient(from_address(library.application, address), **options):
                return True
        except ConnectionClosedError:
            return False

    return over_http if request.param in {"token", "cookie"} else over_websocket


async def test_beyond_the_rate_nothing_is_looked_up(
    attempt: Try, looked_up: list[str], transactional_db: None
) -> None:
    for _ in range(6):
        last = await attempt(UNKNOWN)
    assert len(looked_up) == 3
    assert not last


async def test_later_there_is_time_again(
    attempt: Try, looked_up: list[str], clock: list[float]
) -> None:
    for _ in range(4):
        await attempt(UNKNOWN)
    clock[0] += 4
    await attempt(UNKNOWN)
    assert len(looked_up) == 4


async def test_what_stood_for_somebody_lately_is_let_in(attempt: Try, token: str) -> None:
    assert await attempt(token)
    for _ in range(4):
        await attempt(UNKNOWN)
    assert await attempt(token)


async def test_a_token_that_was_just_given_out_is_let_in(attempt: Try, library: Library) -> None:
    login = {"query": 'mutation { login(name: "reader") }'}
    await in_database(reader)("reader")
    application = from_address(library.application, HERE)
    for _ in range(4):
        await attempt(UNKNOWN)
    _, body = await answer(application, "POST", body=login)
    token = body.partition('"login":"')[2].partition('"')[0]
    assert await attempt(token)


async def test_other_addresses_are_not_affected(attempt: Try, user: Any) -> None:
    for _ in range(4):
        await attempt(UNKNOWN)
    assert await attempt(await in_database(token_of)(user), ELSEWHERE)


async def test_any_number_of_good_ones_is_looked_up(attempt: Try, user: Any) -> None:
    assert [await attempt(await in_database(token_of)(user)) for _ in range(6)] == [True] * 6


async def test_a_session_that_has_ended_is_good_no_more(
    attempt: Try, token: str, looked_up: list[str]
) -> None:
    await attempt(token)
    await in_database(sessions.opened(token).delete)()
    for _ in range(6):
        await attempt(token)
    assert len(looked_up) == 1 + 3
