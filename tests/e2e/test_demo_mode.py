"""Demo mode is turned on by the environment, never by a file that was left over."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import ROOT, CommandFailedError, ServerProcess, manage
from tests.harness.service_process import ServiceError, free_port

SOURCES = ("accounts", "django_project", "messaging", "orders", "realtime", "static", "templates")
HOST = "chat.example.org"
ORDERS = "{ getOrders { id } }"


def recipe() -> list[str]:
    """Return the commands that docs/settings.md gives under "Outside demo mode"."""
    page = (ROOT / "docs" / "settings.md").read_text()
    block = re.search(r"\n## Outside demo mode\n\n((?: {4}.*\n)+)", page)
    assert block
    return [line.strip() for line in block[1].splitlines()]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of this checkout, with the file that `make run` writes."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    shutil.copy(ROOT / "manage.py", copy)
    (copy / ".venv").symlink_to(sys.prefix)
    make = ("make", "--silent", "-f", ROOT / "Makefile", ".env", f"PYTHON={sys.executable}")
    subprocess.run(make, cwd=copy, check=True)
    return copy


class Production(ServerProcess):
    """The last command of the recipe, in a copy of the checkout."""

    def __init__(self, checkout: Path, command: str, environment: dict[str, str]) -> None:
        super().__init__("uvicorn", environment)
        self._line = [*shlex.split(command), "--port", str(self.port)]
        self._checkout = checkout
        self._environment = environment

    def _command(self) -> Sequence[str | Path]:
        return self._line

    def _surroundings(self) -> dict[str, Any]:
        return {"cwd": self._checkout, "env": self._environment}


@pytest.fixture(scope="module")
def production(checkout: Path) -> Iterator[ServerProcess]:
    """Run the recipe to its end, with values in place of its dots."""
    export, *commands, serve = recipe()
    values = {
        "SECRET_KEY": "an-Arbitrary-0123456789-secret-of-more-than-50-characters",
        "ALLOWED_HOSTS": HOST,
        "DATABASE_URL": f"sqlite:///{checkout / 'db.sqlite3'}",
        "REDIS_URL": "",
    }
    assert {name.partition("=")[0] for name in export.split()[1:]} == values.keys()
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONUNBUFFERED": "1",
        **values,
        "DJANGO_SUPERUSER_USERNAME": "root",
        "DJANGO_SUPERUSER_PASSWORD": "of-the-super-user",
        "DJANGO_SUPERUSER_EMAIL": "root@example.org",
    }
    for command in commands:
        line = shlex.split(command) + ["--no-input"] * command.endswith("createsuperuser")
        done = subprocess.run(line, cwd=checkout, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    with Production(checkout, serve, environment) as server:
        yield server


def test_recipe_after_make_run_refuses_anonymous_callers(production: ServerProcess) -> None:
    by_tls = {"Host": HOST, "X-Forwarded-Proto": "https"}
    answer = GraphQLHTTP(production.graphql_url).post(ORDERS, headers=by_tls)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]


def test_recipe_after_make_run_does_not_announce_demo_mode(production: ServerProcess) -> None:
    assert "Demo mode" not in production.log()


@pytest.fixture
def left_over(tmp_path: Path) -> dict[str, str]:
    """Return an environment whose file is as an earlier `make run` wrote it."""
    (tmp_path / ".env").write_text("DEBUG=1\nSECRET_KEY=left-over\n")
    return {
        "CLEW_ENV_FILE": str(tmp_path / ".env"),
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
    }


class Direct(ServerProcess):
    """A server that is given its whole command line."""

    def __init__(self, environment: dict[str, str], line: Sequence[str]) -> None:
        super().__init__("uvicorn", environment)
        self._line = line

    def _command(self) -> Sequence[str | Path]:
        return [sys.executable, *self._line, str(self.port)]


@pytest.mark.parametrize(
    "line",
    [
        ("manage.py", "serve", "--port"),
        ("manage.py", "serve", "--workers", "2", "--port"),
        ("-m", "uvicorn", "django_project.asgi:application", "--port"),
        ("-m", "daphne", "django_project.asgi:application", "--port"),
        ("manage.py", "runserver", "--noreload"),
    ],
    ids=["serve", "serve with workers", "uvicorn", "daphne", "runserver"],
)
def test_server_does_not_start_where_a_file_sets_debug(
    line: tuple[str, ...], left_over: dict[str, str]
) -> None:
    refusal = pytest.raises(ServiceError, match="sets DEBUG, but demo mode cannot")
    with refusal, Direct(left_over, line):
        pass


def test_server_does_not_start_where_a_file_sets_demo_mode(left_over: dict[str, str]) -> None:
    Path(left_over["CLEW_ENV_FILE"]).write_text("CLEW_DEMO=1\nSECRET_KEY=left-over\n")
    refusal = pytest.raises(ServiceError, match="sets CLEW_DEMO, but demo mode cannot")
    with refusal, Direct(left_over, ("manage.py", "serve", "--port")):
        pass


def test_deployment_check_names_the_file(left_over: dict[str, str]) -> None:
    with pytest.raises(CommandFailedError, match=r"\.env sets DEBUG"):
        manage("check", "--deploy", env=left_over)


def test_server_starts_where_the_environment_overrules_the_file(left_over: dict[str, str]) -> None:
    with ServerProcess("uvicorn", {**left_over, "DEBUG": "0"}) as server:
        assert "Demo mode" not in server.log()


SHOW = ("shell", "--verbosity", "0", "-c")
PRINT = "from django.conf import settings; print(settings.DEBUG, settings.CLEW_DEMO)"


@pytest.mark.parametrize(
    ("environment", "mode"),
    [({}, "False False"), ({"DEBUG": "1"}, "True True"), ({"CLEW_DEMO": "1"}, "False True")],
)
def test_command_runs_in_the_mode_of_the_environment(
    environment: dict[str, str], mode: str, left_over: dict[str, str]
) -> None:
    assert manage(*SHOW, PRINT, env={**left_over, **environment}).split("\n")[0] == mode


def test_file_may_turn_demo_mode_off(left_over: dict[str, str]) -> None:
    Path(left_over["CLEW_ENV_FILE"]).write_text("CLEW_DEMO=0\nSECRET_KEY=left-over\n")
    with pytest.raises(CommandFailedError, match="Demo mode is off"):
        manage("demo", str(free_port()), env={**left_over, "DEBUG": "1"})


def test_password_is_changed_where_a_file_sets_debug(left_over: dict[str, str]) -> None:
    manage("migrate", "--verbosity", "0", env=left_over)
    create = "from accounts.models import User; User.objects.create_user('someone')"
    manage(*SHOW, create, env=left_over)
    with pytest.raises(CommandFailedError, match="Changing password for user"):  # and then it asks
        manage("changepassword", "someone", env=left_over)
