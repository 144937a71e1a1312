"""The code of docs/live-models.md and docs/testing.md, to the letter, as a project of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

BLOCK = re.compile(r"^```\w+\n# ([\w/]+\.\w+)(, at the end)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A file of the project: its first line names it."""

STARTING = """
from django.core.management import call_command
call_command("startproject", "shop", ".")
call_command("startapp", "orders")
call_command("startapp", "accounts")
"""

CHECKING = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()
from django.core.management import call_command
call_command("makemigrations")
call_command("check", fail_level="WARNING")
"""

BESIDES = """
import json

import pytest
from channels.testing import HttpCommunicator
from django.contrib.auth import get_user_model
from django.core.signing import TimestampSigner
from django.test import Client

from orders import services
from orders.models import Membership, Order
from realtime.asgi import graphql_app
from realtime.database import in_database
from realtime.models import Event
from realtime.testing import GraphQLClient, OperationError
from realtime.transports.websocket import WebSocketHandler
from shop.authentication import TokenMiddleware, on_connect
from shop.schema import schema

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True)]

MINE = "{ orders { orders { id } cursor } }"


@pytest.fixture
def user():
    return get_user_model().objects.create_user("ariadne", password="thread")


@pytest.fixture
def order(user):
    return Order.objects.create(user=user)


async def test_the_mutation_login_returns_a_token(graphql_client, order):
    login = 'mutation { login(username: "ariadne", password: "thread") }'
    token = (await graphql_client.mutate(login))["login"]
    assert (await graphql_client.query(MINE))["orders"]["orders"] == [{"id": order.pk}]
    async with GraphQLClient(headers={"authorization": f"Bearer {token}"}) as client:
        assert (await client.query(MINE))["orders"]["orders"] == [{"id": order.pk}]
    async with GraphQLClient(payload={"token": token}) as client:
        assert (await client.query(MINE))["orders"]["orders"] == [{"id": order.pk}]
        await client.mutate("mutation { logout }")


async def test_a_wrong_password_is_refused(graphql_client, user):
    with pytest.raises(OperationError, match="Wrong username or password"):
        await graphql_client.mutate('mutation { login(username: "ariadne", password: "yarn") }')


async def test_the_key_of_a_session_is_a_token(user, order):
    browser = Client()
    await in_database(browser.force_login)(user)
    async with GraphQLClient(payload={"token": browser.session.session_key}) as client:
        assert (await client.query(MINE))["orders"]["orders"] == [{"id": order.pk}]


async def test_tokens_of_another_system_are_read_over_every_transport(user, order):
    handler = WebSocketHandler(on_connect=on_connect)
    application = TokenMiddleware(graphql_app(schema, websocket_handler=handler))
    token = TimestampSigner().sign(str(user.pk))
    bearer = {"authorization": f"Bearer {token}"}
    for given in ({"payload": {"token": token}}, {"headers": bearer}):
        async with GraphQLClient(application, **given) as client:
            assert (await client.query(MINE))["orders"]["orders"] == [{"id": order.pk}]
            follow = "subscription ($id: Int) { getOrder(id: $id) { state } }"
            await client.subscribe(follow, {"id": order.pk})
    headers = [(b"authorization", bearer["authorization"].encode()),
               (b"content-type", b"application/json")]
    body = json.dumps({"query": MINE}).encode()
    http = HttpCommunicator(application, "POST", "/graphql/", body, headers)
    answer = json.loads((await http.get_response())["body"])
    assert answer["data"]["orders"]["orders"] == [{"id": order.pk}]
    async with GraphQLClient(application, payload={"token": "forged"}) as client:
        with pytest.raises(OperationError, match="Log in first"):
            await client.subscribe(follow, {"id": order.pk})


async def test_a_client_that_follows_after_its_list_misses_nothing(user, order):
    token = TimestampSigner().sign(str(user.pk))
    application = TokenMiddleware(graphql_app(schema))
    async with GraphQLClient(application, headers={"authorization": f"Bearer {token}"}) as client:
        cursor = (await client.query(MINE))["orders"]["cursor"]
        await in_database(services.pay)(user, order.pk)
        orders = await client.subscribe("subscription { getOrder { state } }", after=cursor)
        assert await orders.receive() == {"getOrder": {"state": "PAID"}}
        placed = await client.subscribe("subscription { orderPlaced { id state } }")
        await in_database(services.pay)(user, order.pk)
        new = await Order.objects.acreate(user=user)
        assert await placed.receive() == {"orderPlaced": {"id": new.pk, "state": "OPEN"}}


async def test_a_broadcast_reaches_those_who_listen(graphql_client, user):
    activity = await graphql_client.subscribe(
        'subscription { activity(rooms: ["kittens"]) { typing { username } } }'
    )
    services.type_in("kittens", user)
    assert await activity.receive() == {"activity": {"typing": {"username": "ariadne"}}}


async def test_a_membership_that_goes_over_concerns_both_users(user):
    membership = await Membership.objects.acreate(user=user, team="weavers")
    other = membership.user = await get_user_model().objects.acreate_user("minos")
    await membership.asave()
    event = await Event.objects.filter(topic="realtime.access").order_by("offset").alast()
    assert event.data == {"users": [str(user.pk), str(other.pk)]}


async def test_a_live_user_publishes_bulk_writes(user):
    await get_user_model().objects.aupdate(first_name="Ariadne")
    events = Event.objects.filter(topic=f"user.{user.pk}").order_by("offset")
    assert [event.kind async for event in events] == ["created", "updated"]
"""


FAST = """
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA synchronous=OFF"
"""


def written(page: str, project: Path) -> set[str]:
    """Write the files that a page shows into a project; return their paths."""
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text())
    for path, is_continued, body in blocks:
        with (project / path).open("a" if is_continued else "w") as file:
            file.write(body)
    return {path for path, *_ in blocks}


def run(project: Path, *command: str) -> str:
    """Run Python in a project, which finds the engine and nothing else of this checkout."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CLEW_", "DJANGO_", "PYTEST_"))
    }
    done = subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env={
            **environment,
            "PYTHONPATH": str(project / "installed"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def run_pytest(project: Path, option: str, *files: str) -> str:
    """Run tests with the plugins that the page names, and no others."""
    plugins = ("-p", "pytest_django.plugin", "-p", "pytest_asyncio.plugin")
    return run(project, "-m", "pytest", "-W", "error", *plugins, "-o", option, *files)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the project as docs/live-models.md says."""
    root = tmp_path_factory.mktemp("project")
    (root / "installed").mkdir()
    (root / "installed" / "realtime").symlink_to(ROOT / "realtime")
    run(root, "-c", STARTING)
    assert len(written("live-models.md", root)) >= 9
    run(root, "-c", CHECKING)
    written("testing.md", root)
    with (root / "shop" / "settings.py").open("a") as file:
        file.write(FAST)
    return root


def test_what_both_pages_show_works_in_strict_mode(project: Path) -> None:
    (project / "test_besides.py").write_text(BESIDES)
    output = run_pytest(project, "asyncio_mode=strict", "test_orders.py", "test_besides.py")
    assert "test_orders.py ....    " in output


def test_the_tests_of_the_page_pass_in_auto_mode(project: Path) -> None:
    assert "4 passed" in run_pytest(project, "asyncio_mode=auto", "test_orders.py")


def test_the_test_of_the_page_passes_under_unittest(project: Path) -> None:
    assert "Ran 1 test" in run(project, "manage.py", "test", "--noinput", "orders")
