"""Django serves so many requests at once, and no slow client keeps the others waiting."""

import asyncio
from typing import Any

import pytest
from channels.testing import HttpCommunicator

from accounts.models import User
from django_project import turns
from django_project.turns import InTurn, admin_login, files, pages
from realtime import hashing
from realtime.rates import Rate

HEADERS = [(b"host", b"127.0.0.1")]


class Held:
    """An application that answers once the test says so; it reads the body first, as Django."""

    def __init__(self) -> None:
        self.served = 0
        self.may_end = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        while message["type"] == "http.request" and message.get("more_body"):
            message = await receive()
        if message["type"] == "http.disconnect":
            return
        self.served += 1
        await self.may_end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})


def get(application: Any, path: str = "/") -> asyncio.Task[Any]:
    return asyncio.create_task(
        HttpCommunicator(application, "GET", path, headers=HEADERS).get_response(timeout=30)
    )


async def test_those_beyond_are_refused(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DJANGO_REQUESTS = 2
    monkeypatch.setattr(turns, "WAITING", 3)
    held = Held()
    application = InTurn(held, pages())
    asking = [get(application) for _ in range(7)]
    await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    assert held.served == 2
    held.may_end.set()
    answers = [await each for each in asking]
    assert [answer["status"] for answer in answers] == [200] * 5 + [503] * 2
    assert (b"retry-after", b"1") in answers[-1]["headers"]
    assert held.served == 5


async def test_a_body_that_is_on_its_way_takes_no_turn(settings: Any) -> None:
    settings.DJANGO_REQUESTS = 1
    held = Held()
    held.may_end.set()
    application = InTurn(held, pages())
    slow = HttpCommunicator(application, "POST", "/", headers=HEADERS)
    slow.scope["type"] = "http"
    await slow.send_input({"type": "http.request", "body": b"x", "more_body": True})
    assert (await get(application))["status"] == 200
    await slow.send_input({"type": "http.request", "body": b"x", "more_body": False})
    assert (await slow.receive_output(30))["status"] == 200
    await slow.wait()


async def test_a_client_that_does_not_take_its_answer_loses_its_turn(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DJANGO_REQUESTS = 1
    monkeypatch.setattr(turns, "SENDING", 0)
    held = Held()
    held.may_end.set()
    application = InTurn(held, pages())

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def never(message: Any) -> None:
        await asyncio.Event().wait()

    await application({"type": "http", "method": "GET", "path": "/"}, receive, never)
    monkeypatch.setattr(turns, "SENDING", 30)
    assert (await get(application))["status"] == 200


async def test_static_files_have_turns_of_their_own(settings: Any) -> None:
    settings.DJANGO_REQUESTS = 1
    held, file = Held(), Held()
    file.may_end.set()
    waiting = get(InTurn(held, pages()))
    assert (await get(InTurn(file, files())))["status"] == 200
    held.may_end.set()
    await waiting


class TestAdminLogin:
    @pytest.fixture(autouse=True)
    def _rate(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hashing, "_rate", Rate())
        settings.REALTIME = {**settings.REALTIME, "HASHING_RATE": 0.01, "HASHING_BURST": 2}

    async def log_in(self, application: Any, password: str = "pass", method: str = "POST") -> Any:
        token = "x" * 32
        body = f"username=user_one&password={password}&csrfmiddlewaretoken={token}"
        communicator = HttpCommunicator(
            application,
            method,
            "/admin/login/",
            body=body.encode(),
            headers=[
                *HEADERS,
                (b"cookie", f"csrftoken={token}".encode()),
                (b"content-type", b"application/x-www-form-urlencoded"),
            ],
        )
        communicator.scope["client"] = ("192.0.2.1", 1)
        answer = await communicator.get_response(timeout=30)
        await communicator.wait(timeout=30)
        return answer

    @pytest.mark.parametrize("password", ["pass", "wrong"])
    async def test_an_address_may_try_so_many(
        self, password: str, application: Any, users: tuple[User, User]
    ) -> None:
        for _ in range(2):
            assert (await self.log_in(application, password))["status"] in {200, 302}
        refused = await self.log_in(application, password)
        assert refused["status"] == 429
        assert (b"retry-after", b"100") in refused["headers"]

    async def test_the_form_can_be_seen_as_often(
        self, application: Any, users: tuple[User, User]
    ) -> None:
        for _ in range(3):
            assert (await self.log_in(application, method="GET"))["status"] == 200

    async def test_it_waits_for_the_same_turns_as_other_hashes(self, settings: Any) -> None:
        hashing._turns.cache_clear()
        held = Held()
        application = InTurn(held, admin_login)
        async with hashing.turn({}):
            waiting = asyncio.create_task(self.log_in(application))
            for _ in range(10):
                await asyncio.sleep(0)
            assert held.served == 0
        held.may_end.set()
        assert (await waiting)["status"] == 200
