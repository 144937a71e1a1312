"""`make run`'s command: the first start, the second, and a port that is taken."""

import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import CommandFailedError, ServerProcess, manage


class Demo(ServerProcess):
    """The server as `make run` starts it, with reload."""

    def _command(self) -> list[str | Path]:
        return [sys.executable, "-u", "manage.py", "demo", str(self.port)]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    database = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    return {"DEBUG": "1", "SECRET_KEY": "demo", "DATABASE_URL": database, "REDIS_URL": ""}


def test_the_first_start_loads_data_and_the_second_keeps_it(environment: dict[str, str]) -> None:
    with Demo("daphne", environment) as server:
        log = server.log()
        assert re.search(r"The user admin has the password '\S+'", log)
        assert f"http://127.0.0.1:{server.port}/" in log
        http = GraphQLHTTP(server.graphql_url)
        assert len(http.post("{ getOrders { id } }")["data"]["getOrders"]) == 3
        login = 'mutation { login(username: "user_one", password: "pass") { ok } }'
        assert http.post(login)["data"] == {"login": {"ok": True}}
        http.post('mutation { createUser(username: "kept") { success } }')
    with Demo("daphne", environment) as server:
        assert "password" not in server.log()
        kept = GraphQLHTTP(server.graphql_url).post('{ userId(username: "kept") }')
        assert kept == {"data": {"userId": "4"}}


def modes(directory: Path) -> dict[str, str]:
    return {file.name: oct(file.stat().st_mode & 0o777) for file in directory.iterdir()}


def test_only_the_owner_reads_the_files_of_a_first_start(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with Demo("daphne", environment) as server:
        GraphQLHTTP(server.graphql_url).post('mutation { createUser(username: "a") { success } }')
        assert set(modes(tmp_path)) >= {"db.sqlite3", "db.sqlite3-wal"}
        assert set(modes(tmp_path).values()) == {"0o600"}
        assert "readable by others" not in server.log()


def test_only_the_owner_reads_files_that_were_there(
    environment: dict[str, str], tmp_path: Path
) -> None:
    for name in ("db.sqlite3", ".env"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    environment["CLEW_ENV_FILE"] = str(tmp_path / ".env")
    with Demo("daphne", environment) as server:
        assert set(modes(tmp_path).values()) == {"0o600"}
        assert server.log().count("was readable by others; now by you alone.") == 2


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")
def test_only_the_owner_reads_the_settings_that_make_writes(tmp_path: Path) -> None:
    makefile = Path(__file__).resolve().parents[2] / "Makefile"
    command = ["make", "-f", str(makefile), ".env", f"PYTHON={sys.executable}"]
    subprocess.run(command, cwd=tmp_path, check=True, umask=0o022)
    assert modes(tmp_path) == {".env": "0o600"}
    assert "SECRET_KEY=" in (tmp_path / ".env").read_text()


@pytest.mark.parametrize(
    ("port", "reason"), [("taken", "Address already in use"), ("70000", "no such port")]
)
def test_a_port_that_cannot_be_used_gets_a_sentence(
    port: str, reason: str, environment: dict[str, str]
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        number = str(taken.getsockname()[1]) if port == "taken" else port
        with pytest.raises(CommandFailedError) as caught:
            manage("demo", number, env=environment)
    assert f"Port {number} cannot be used ({reason})" in str(caught.value)
    assert "make run PORT=" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_outside_demo_mode_it_does_nothing(environment: dict[str, str]) -> None:
    with pytest.raises(CommandFailedError, match="Demo mode is off"):
        manage("demo", env={**environment, "CLEW_DEMO": "0"})


@pytest.mark.parametrize(
    ("environment_of", "sentence"),
    [
        ({}, 'Environment variable "SECRET_KEY" not set'),
        ({"DEBUG": "1"}, 'Environment variable "SECRET_KEY" not set'),
        ({"SECRET_KEY": "x", "DEBUG": "perhaps"}, 'Environment variable "DEBUG" invalid'),
        ({"SECRET_KEY": "x", "DATABASE_URL": "nonsense"}, '"DATABASE_URL" invalid'),
        ({"SECRET_KEY": ""}, '"SECRET_KEY" invalid'),
        ({"SECRET_KEY": "", "DEBUG": "1"}, '"SECRET_KEY" invalid'),
        ({"SECRET_KEY": "x", "CLEW_HTTPS": "perhaps"}, '"CLEW_HTTPS" invalid'),
        ({"SECRET_KEY": "x", "CLEW_GRAPHIQL": "1"}, "needs CLEW_INTROSPECTION=1"),
        ({"SECRET_KEY": "x", "REDIS_URL": "nonsense"}, "Give redis://host:port/number"),
        ({"SECRET_KEY": "x", "ALLOWED_HOSTS": "http://a.org"}, "Give host names"),
        ({"SECRET_KEY": "x", "CORS_ALLOWED_ORIGINS": "app.example.org"}, "Give scheme, host and"),
        ({"SECRET_KEY": "x", "CORS_ALLOWED_ORIGINS": "https://a.org/"}, "Give scheme, host and"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named(
    environment_of: dict[str, str], sentence: str, tmp_path: Any
) -> None:
    command = [sys.executable, "manage.py", "check"]
    root = Path(__file__).resolve().parents[2]
    environment = {"PYTHONPATH": str(root), "CLEW_ENV_FILE": os.devnull, **environment_of}
    command[1] = str(root / "manage.py")
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
