"""The server as the documentation sets it up outside demo mode, behind a proxy that ends TLS."""

import http.client
import json
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.harness.server import GRAPHQL_PATH, ServerProcess, manage
from tests.harness.websocket_client import SUBPROTOCOL

BY_TLS = {"X-Forwarded-Proto": "https"}
LOGIN = 'mutation { login(username: "user_one", password: "the-password") { ok } }'
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    environment = {
        "SECRET_KEY": "end-to-end",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('database') / 'db.sqlite3'}",
        "METRICS_TOKEN": "token",
    }
    manage("migrate", "--verbosity", "0", env=environment)
    create = (
        "from accounts.models import User; User.objects.create_user('user_one', '', 'the-password')"
    )
    manage("shell", "--verbosity", "0", "-c", create, env=environment)
    options = ("--forwarded-allow-ips", "127.0.0.1")
    with ServerProcess("uvicorn", environment, options=options) as process:
        yield process
        assert "Traceback" not in process.log(), process.log()


class Response(http.client.HTTPResponse):
    body: bytes


def ask(
    server: ServerProcess, method: str, path: str, body: str | None = None, **headers: str
) -> Response:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.response_class = Response
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        assert isinstance(response, Response)
        response.body = response.read()
    finally:
        connection.close()
    return response


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 301),
        ("GET", "/admin/login/?next=/admin/", 301),
        ("GET", "/graphql/?query=%7Bhello%7D", 307),
        ("POST", "/graphql/", 307),
    ],
)
def test_plain_http_is_sent_to_https(
    method: str, path: str, status: int, server: ServerProcess
) -> None:
    response = ask(server, method, path)
    location = f"https://127.0.0.1:{server.port}{path}"
    assert (response.status, response.getheader("Location")) == (status, location)


async def test_a_plain_websocket_is_refused(server: ServerProcess) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(server.ws_url, subprotocols=[Subprotocol(SUBPROTOCOL)], proxy=None):
            pass
    assert caught.value.response.status_code == 403


async def test_one_by_tls_is_not(server: ServerProcess) -> None:
    protocols = [Subprotocol(SUBPROTOCOL)]
    async with connect(
        server.ws_url, subprotocols=protocols, additional_headers=BY_TLS, proxy=None
    ) as socket:
        assert socket.subprotocol == SUBPROTOCOL


def test_metrics_are_read_from_behind_the_proxy(server: ServerProcess) -> None:
    assert ask(server, "GET", "/metrics").status == 401


@pytest.mark.parametrize("path", ["/", GRAPHQL_PATH])
def test_browsers_are_told_to_come_by_https(path: str, server: ServerProcess) -> None:
    told = ask(server, "GET", path, **BY_TLS)
    year = "max-age=31536000; includeSubDomains; preload"
    assert told.getheader("Strict-Transport-Security") == year


def test_the_cookie_of_a_session_goes_by_https_alone(server: ServerProcess) -> None:
    body = json.dumps({"query": LOGIN})
    response = ask(server, "POST", GRAPHQL_PATH, body, **JSON, **BY_TLS)
    cookie = response.getheader("Set-Cookie") or ""
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))


def test_no_subdomain_can_set_the_cookie_of_a_session(server: ServerProcess) -> None:
    body = json.dumps({"query": LOGIN})
    response = ask(server, "POST", GRAPHQL_PATH, body, **JSON, **BY_TLS)
    cookie = response.getheader("Set-Cookie") or ""
    assert cookie.startswith("__Host-sessionid=")
    assert {"Secure", "Path=/"} <= set(cookie.split("; "))
    assert "domain" not in cookie.lower()


def test_the_cookie_of_a_session_is_known_by_its_name(server: ServerProcess) -> None:
    body = json.dumps({"query": LOGIN})
    response = ask(server, "POST", GRAPHQL_PATH, body, **JSON, **BY_TLS)
    cookie, _, _ = (response.getheader("Set-Cookie") or "").partition(";")
    origin = {"Origin": f"https://127.0.0.1:{server.port}", "Cookie": cookie}
    ask_me = json.dumps({"query": "{ me { username } }"})
    assert json.loads(
        ask(server, "POST", GRAPHQL_PATH, ask_me, **JSON, **BY_TLS, **origin).body
    ) == {"data": {"me": {"username": "user_one"}}}


@pytest.mark.parametrize(("https", "name"), [("1", "__Host-csrftoken"), ("0", "csrftoken")])
def test_no_subdomain_can_set_the_cookie_against_forgery(https: str, name: str) -> None:
    script = "from django.conf import settings; print(settings.CSRF_COOKIE_NAME)"
    environment = {"SECRET_KEY": "end-to-end", "CLEW_HTTPS": https}
    assert manage("shell", "--no-imports", "-c", script, env=environment).strip() == name
