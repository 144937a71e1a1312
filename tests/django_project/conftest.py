"""Fixtures of the tests of the whole application, in process."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

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
