"""The nginx of docs/security.md in front of the server, as the documentation sets both up."""

import http.client
import json
import os
import re
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

from tests.harness.certificates import self_signed
from tests.harness.server import GRAPHQL_PATH, ROOT, ServerProcess, manage
from tests.harness.service_process import HOST, Service, free_port
from tests.harness.services import nginx_binary, require
from tests.harness.websocket_client import SUBPROTOCOL

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE

LOGIN = 'mutation { login(username: "user_one", password: "%s") { ok token } }'


class Nginx(Service):
    """nginx with the configuration of the documentation, but for ports, certificate and folders."""

    name = "nginx"

    def __init__(self, binary: Path, upstream: int) -> None:
        super().__init__()
        self.plain_port = free_port()
        self._binary = binary
        self._upstream = upstream

    def _prepare(self) -> None:
        super()._prepare()
        page = (ROOT / "docs" / "security.md").read_text()
        [block] = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
        certificate = str(self_signed(self.directory))
        for old, new, times in (
            ("listen 443 ssl;", f"listen {HOST}:{self.port} ssl;", 1),
            ("listen 80;", f"listen {HOST}:{self.plain_port};", 1),
            ("/etc/ssl/clew.pem", certificate, 2),
            ("server 127.0.0.1:8000;", f"server {HOST}:{self._upstream};", 1),
        ):
            assert block.count(old) == times, old
            block = block.replace(old, new)
        folders = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "\n".join(f"{each}_temp_path {self.directory}/{each};" for each in folders)
        user = "user root;" if os.geteuid() == 0 else ""
        (self.directory / "nginx.conf").write_text(
            f"daemon off; pid {self.directory}/pid; error_log stderr; {user}\n"
            f"events {{}}\nhttp {{\naccess_log off;\n{paths}\n{block}}}\n"
        )

    def close(self) -> None:
        """End the process and its workers, which would outlive it if it were killed."""
        self.stop()
        super().close()

    def _command(self) -> Sequence[str | Path]:
        path = self.directory
        return [self._binary, "-p", path, "-e", "stderr", "-c", path / "nginx.conf"]

    def _answers(self) -> bool:
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=5, context=CONTEXT)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().status == 403
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    require("nginx", nginx_binary())
    environment = {
        "SECRET_KEY": "end-to-end",
        "ALLOWED_HOSTS": HOST,
        "DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('database') / 'db.sqlite3'}",
    }
    manage("migrate", "--verbosity", "0", env=environment)
    create = (
        "from accounts.models import User; User.objects.create_user('user_one', '', 'the-password')"
    )
    manage("shell", "--verbosity", "0", "-c", create, env=environment)
    options = ("--forwarded-allow-ips", HOST)
    with ServerProcess("uvicorn", environment, options=options) as process:
        yield process
        assert "Traceback" not in process.log(), process.log()


@pytest.fixture(scope="module")
def nginx(server: ServerProcess) -> Iterator[Nginx]:
    with Nginx(require("nginx", nginx_binary()), server.port) as proxy:
        yield proxy


def ask(
    nginx: Nginx, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPSConnection(HOST, nginx.port, timeout=30, context=CONTEXT)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def operate(nginx: Nginx, query: str, **headers: str) -> Any:
    given = {"Content-Type": "application/json", **headers}
    status, body, _ = ask(nginx, "POST", GRAPHQL_PATH, json.dumps({"query": query}), **given)
    assert status == 200, body
    return json.loads(body)["data"]


@pytest.fixture(scope="module")
def token(nginx: Nginx) -> str:
    return str(operate(nginx, LOGIN % "the-password")["login"]["token"])


def test_an_operation_is_answered_by_tls(nginx: Nginx, token: str) -> None:
    me = operate(nginx, "{ me { username } }", Authorization=f"Bearer {token}")
    assert me == {"me": {"username": "user_one"}}


def test_plain_http_is_sent_to_https(nginx: Nginx) -> None:
    connection = http.client.HTTPConnection(HOST, nginx.plain_port, timeout=30)
    connection.request("GET", "/docs/")
    response = connection.getresponse()
    assert (response.status, response.headers["Location"]) == (301, f"https://{HOST}/docs/")
    connection.close()


async def test_a_page_of_the_server_opens_a_websocket(nginx: Nginx) -> None:
    async with connect(
        f"wss://{HOST}:{nginx.port}{GRAPHQL_PATH}",
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        origin=Origin(f"https://{HOST}:{nginx.port}"),
        ssl=CONTEXT,
        proxy=None,
    ) as socket:
        await socket.send('{"type": "connection_init"}')
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}


def test_an_event_of_a_stream_arrives_before_the_stream_ends(nginx: Nginx, token: str) -> None:
    connection = http.client.HTTPSConnection(HOST, nginx.port, timeout=10, context=CONTEXT)
    headers = {
        "Accept": "text/event-stream",
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
    }
    query = json.dumps({"query": "subscription { count(target: 60) }"})
    connection.request("POST", GRAPHQL_PATH, query, headers)
    response = connection.getresponse()
    lines = iter(response.readline, b"")
    assert any(line.startswith(b"data: ") for line in lines)
    assert not response.isclosed()
    connection.close()


def test_the_address_is_what_nginx_knows(nginx: Nginx, server: ServerProcess) -> None:
    forged = {"X-Forwarded-For": "192.0.2.1"}
    assert operate(nginx, LOGIN % "wrong", **forged)["login"]["ok"] is False
    log = server.log()
    assert f"'user_one' at {HOST}" in log
    assert "192.0.2.1" not in log


def test_heads_are_limited(nginx: Nginx) -> None:
    status, _, headers = ask(nginx, "GET", "/", **{"X-Large": "x" * 20_000})
    assert (status, headers["Server"].partition("/")[0]) == (400, "nginx")


def test_bodies_are_limited(nginx: Nginx) -> None:
    status, _, headers = ask(nginx, "POST", GRAPHQL_PATH, "x" * (2**20 + 1))
    assert (status, headers["Server"].partition("/")[0]) == (413, "nginx")


def test_metrics_are_for_those_behind_it(nginx: Nginx) -> None:
    assert ask(nginx, "GET", "/metrics")[0] == 403


def test_requests_of_one_address_have_a_rate(nginx: Nginx) -> None:
    statuses = [ask(nginx, "GET", "/admin/login/x")[0] for _ in range(23)]
    assert statuses.count(429) >= 1
