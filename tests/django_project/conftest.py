"""Fixtures of the tests of the whole application, in process."""

import json
import runpy
from collections.abc import Awaitable, Callable
from typing import Any

import django
import pytest
from channels.testing import HttpCommunicator

from accounts.models import User

Execute = Callable[..., Awaitable[dict[str, Any]]]


async def post(
    application: Any, query: str, *, headers: dict[str, str] | None = None, **variables: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """POST an operation; return its result and the headers of the answer."""
    given = {"content-type": "application/json", "host": "127.0.0.1", **(headers or {})}
    communicator = HttpCommunicator(
        application,
        "POST",
        "/graphql/",
        body=json.dumps({"query": query, "variables": variables}).encode(),
        headers=[(name.encode(), value.encode()) for name, value in given.items()],
    )
    response = await communicator.get_response(timeout=10)
    answered = {name.decode().lower(): value.decode() for name, value in response["headers"]}
    result: dict[str, Any] = json.loads(response["body"])
    return result, answered


@pytest.fixture
def application(transactional_db: None) -> Any:
    from django_project.asgi import application

    return application


@pytest.fixture
def compose(
    transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Any]:
    """Return what composes an application from the settings as they are then."""
    monkeypatch.setattr(django, "setup", lambda **_: None)  # it would configure logging anew
    return lambda: runpy.run_path(f"{settings.BASE_DIR}/django_project/asgi.py")["application"]


@pytest.fixture
def production(compose: Callable[[], Any], settings: Any) -> Any:
    """Return the application as it is outside DEBUG and demo mode, but for HTTPS."""
    settings.CLEW_DEMO = settings.CLEW_GRAPHIQL = settings.CLEW_INTROSPECTION = False
    return compose()


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
def users(transactional_db: None) -> tuple[User, User]:
    return (
        User.objects.create_user("user_one", "one@example.org", "pass"),
        User.objects.create_user("user_two", "two@example.org", "pass"),
    )
