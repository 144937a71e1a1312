"""A crowd that logs in to the admin, on PostgreSQL, whose pool of connections is small."""

import asyncio
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import ServerProcess, manage
from tests.harness.services import Postgres

TOKEN = "x" * 32
CROWD = 50
USER = """
from accounts.models import User
User.objects.create_superuser("admin", "admin@example.org", "a ball of thread")
"""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow none."""


@pytest.fixture(scope="module")
def server(postgres: Postgres) -> Iterator[ServerProcess]:
    environment = {
        "DEBUG": "1",
        "CLEW_DEMO": "1",
        "SECRET_KEY": "end-to-end",
        "DATABASE_URL": postgres.url,
        "REDIS_URL": "",
    }
    manage("migrate", "--verbosity", "0", env=environment)
    manage("shell", "--verbosity", "0", "-c", USER, env=environment)
    with ServerProcess("uvicorn", environment) as process:
        yield process


def status(url: str, form: dict[str, str] | None = None) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirects)
    data = None if form is None else urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(url, data, {"Cookie": f"csrftoken={TOKEN}"})
    try:
        with opener.open(request, timeout=60) as response:
            response.read()
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def test_nobody_else_waits_and_nothing_breaks(server: ServerProcess) -> None:
    form = {
        "username": "admin",
        "password": "a ball of thread",
        "csrfmiddlewaretoken": TOKEN,
    }
    login = f"{server.url}/admin/login/"
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(CROWD + 4) as threads:
        crowd = [loop.run_in_executor(threads, status, login, form) for _ in range(CROWD)]
        await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
        other = GraphQLHTTP(server.graphql_url)
        ask = loop.run_in_executor(threads, other.post, '{ userId(username: "admin") }')
        assert "errors" not in await ask
        for path in ("/", "/admin/login/", "/static/clew.svg"):
            assert await loop.run_in_executor(threads, status, server.url + path) == 200
        came = Counter(await asyncio.gather(*crowd))
    assert set(came) <= {302, 503}, came
    assert came[302]
