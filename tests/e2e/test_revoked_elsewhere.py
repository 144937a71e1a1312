"""Rights that end in another process than that which serves the subscriber."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.harness.server import ServerProcess, manage
from tests.harness.servers import Environment, migrated
from tests.harness.services import Postgres, Redis
from tests.harness.websocket_client import Errors, GraphQLSocket

IMPORTS = """
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from accounts.models import User
from messaging.services import send_message
from realtime.publishing import publishing
from realtime.sessions import begin, opened
"""
BEGIN = """
reader, _ = User.objects.update_or_create(
    username="reader", defaults={"is_active": True, "is_staff": True}
)
reader.user_permissions.set(Permission.objects.filter(codename="view_message"))
print(reader.pk, begin(opened(), reader, address="").session.session_key)
"""
PUBLISH = """
send_message(sender_id=str(user.pk), recipient_id=str(user.pk), content="Nobody may read this")
"""
ENDS = {
    "logout": "[session.delete() for session in Session.objects.all()]",
    "deactivation": "user.is_active = False; user.save()",
    "bulk deactivation": "User.objects.update(is_active=False)",
    "password": "user.set_password('new'); user.save()",
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def environment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    environment = {**migrated(tmp_path_factory), "CLEW_DEMO": "0"}
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        redis: Redis = request.getfixturevalue("redis_server")
        environment |= {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
        manage("migrate", "--verbosity", "0", env=environment)
    return environment


@pytest.fixture(scope="module")
def server(environment: Environment) -> Iterator[ServerProcess]:
    with ServerProcess("uvicorn", environment) as process:
        yield process


async def shell(environment: Environment, code: str) -> str:
    arguments = ("shell", "--verbosity", "0", "-c", IMPORTS + code)
    return await asyncio.to_thread(manage, *arguments, env=environment)


async def begun(environment: Environment) -> tuple[str, str]:
    """Return a user's id, and the token of a session."""
    pk, token = (await shell(environment, BEGIN)).split()
    return pk, token


def inbox_of(pk: str) -> str:
    return f'subscription {{ messages(userId: "{pk}") {{ content }} }}'


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_what_is_published_afterwards_does_not_arrive(
    end: str, environment: Environment, server: ServerProcess
) -> None:
    pk, token = await begun(environment)
    async with GraphQLSocket(server.ws_url, init_payload={"token": token}) as socket:
        inbox = await socket.live(inbox_of(pk))
        user = f"user = User.objects.get(pk={pk}); "
        await shell(environment, f"{user}{end}\n{PUBLISH}")
        came = await inbox.expect("the refusal", 5)
        assert isinstance(came, Errors), came
        assert [error["extensions"]["code"] for error in came.errors] == ["UNAUTHENTICATED"]
        closed = await socket.closed()
        assert (closed.code, closed.reason) == (4403, "Your session is over")


async def test_a_right_that_is_lost(environment: Environment, server: ServerProcess) -> None:
    pk, token = await begun(environment)
    make = "other = User.objects.create_user('other'); print(other.pk)"
    other = (await shell(environment, make)).strip()
    async with GraphQLSocket(server.ws_url, init_payload={"token": token}) as socket:
        own, others = await socket.live(inbox_of(pk)), await socket.live(inbox_of(other))
        lose = f"User.objects.get(pk={pk}).user_permissions.clear(); "
        say = "\n".join(f"user = User.objects.get(pk={each})\n{PUBLISH}" for each in (other, pk))
        await shell(environment, lose + say)
        came = await others.expect("the refusal", 5)
        assert isinstance(came, Errors), came
        assert await own.next() == {"data": {"messages": {"content": "Nobody may read this"}}}
