"""Fixtures of the tests of the whole application, in process."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from django.db.backends.utils import CursorWrapper

from accounts.models import User
from tests.in_process import Socket, post

Execute = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def application(transactional_db: None) -> Any:
    from django_project.asgi import application

    return application


@pytest.fixture
def execute(application: Any) -> Execute:
    """Run an operation over HTTP and return its data; errors fail the test."""

    async def run(query: str, **variables: Any) -> dict[str, Any]:
        result, _ = await post(application, query, **variables)
        assert "errors" not in result, result
        data: dict[str, Any] = result["data"]
        return data

    return run


@pytest.fixture
async def socket(application: Any) -> AsyncIterator[Socket]:
    socket = Socket(application)
    await socket.open()
    yield socket
    await socket.disconnect()


@pytest.fixture
def users(transactional_db: None) -> tuple[User, User]:
    return (
        User.objects.create_user("user_one", "one@example.org", "pass"),
        User.objects.create_user("user_two", "two@example.org", "pass"),
    )


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the statements of every thread."""
    collected: list[str] = []

    def recording(method: Any) -> Any:
        def execute(self: CursorWrapper, sql: str, *args: Any) -> Any:
            collected.append(sql)
            return method(self, sql, *args)

        return execute

    for name in ("execute", "executemany"):
        monkeypatch.setattr(CursorWrapper, name, recording(getattr(CursorWrapper, name)))
    return collected
