"""A mutation over an open connection respects what was committed elsewhere before it was sent."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db.models import Model

from realtime import doorbell
from realtime.database import in_database
from realtime.testing import ConnectionClosedError, GraphQLClient, OperationError
from tests.realtime.library import NEWS, Library

pytestmark = pytest.mark.django_db(transaction=True)

User = get_user_model()

DELETE = "mutation { deleteMe }"


@pytest.fixture(autouse=True)
def _nobody_tells(monkeypatch: pytest.MonkeyPatch, realtime_settings: Callable[..., None]) -> None:
    """Have nothing be heard of: no doorbell rings, and nobody looks by itself."""
    realtime_settings(SWEEP_INTERVAL=60.0, RECHECK_INTERVAL=0)
    monkeypatch.setattr(doorbell, "ring", lambda heads: None)


@pytest.fixture
async def client(library: Library, token: str, subprotocol: str) -> AsyncIterator[GraphQLClient]:
    client = GraphQLClient(library.application, subprotocol=subprotocol, payload={"token": token})
    await client.connect()
    yield client
    await client.leave()


def log_out(user: Model) -> None:
    Session.objects.get().delete()


def deactivate(user: Any) -> None:
    user.is_active = False
    user.save()


def change_password(user: Any) -> None:
    user.set_password("new")
    user.save()


@pytest.mark.parametrize("end", [log_out, deactivate, change_password])
async def test_a_mutation_after_the_end_of_a_session_is_refused(
    end: Callable[[Any], None], client: GraphQLClient, user: Any
) -> None:
    await in_database(end)(user)
    with pytest.raises((OperationError, ConnectionClosedError)):
        await client.query(DELETE)
    assert await User.objects.filter(pk=user.pk).aexists()


async def test_beside_a_subscription_too(client: GraphQLClient, user: Any) -> None:
    await client.subscribe(NEWS)
    await in_database(log_out)(user)
    with pytest.raises((OperationError, ConnectionClosedError)):
        await client.query(DELETE)
    assert await User.objects.filter(pk=user.pk).aexists()


async def test_a_mutation_of_a_session_that_goes_on_costs_one_statement(
    client: GraphQLClient, queries: list[str]
) -> None:
    assert await client.query("mutation { logout }") == {"logout": None}
    heads = [sql for sql in queries if "realtime_topic" in sql and sql.startswith("SELECT")]
    assert len(heads) == 1, heads


async def test_who_is_not_logged_in_costs_none(library: Library, queries: list[str]) -> None:
    async with GraphQLClient(library.application) as client:
        await client.query("mutation { logout }")
    assert not [sql for sql in queries if "realtime_topic" in sql and sql.startswith("SELECT")]
