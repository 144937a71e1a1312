"""Real servers over database files of their own."""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, cast

import pytest

from tests.harness.server import ServerProcess, manage

Environment = dict[str, str]
Kind = Literal["daphne", "uvicorn"]


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Name the server; tests that ask for it run under each."""
    return cast(Kind, request.param)


@pytest.fixture(scope="module")
def environment(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return the environment of a demo, whose database is made and, at first, empty."""
    return migrated(tmp_path_factory)


@pytest.fixture(scope="module")
def server(kind: Kind, environment: Environment) -> Iterator[ServerProcess]:
    """Run the server."""
    with ServerProcess(kind, environment) as process:
        yield process
        assert "Traceback" not in process.log(), process.log()


def migrated(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Make a database, and return the environment of a demo on it."""
    database = tmp_path_factory.mktemp("database") / "db.sqlite3"
    shutil.copy(_template(tmp_path_factory.getbasetemp()), database)
    return _demo_on(database)


@cache
def _template(directory: Path) -> Path:
    """Migrate a database, once a session: it takes seconds."""
    template = directory / "migrated.sqlite3"
    manage("migrate", "--verbosity", "0", env=_demo_on(template))
    return template


def _demo_on(database: Path) -> Environment:
    return {
        "DEBUG": "1",
        "SECRET_KEY": "end-to-end",
        "DATABASE_URL": f"sqlite:///{database}",
        "REDIS_URL": "",
    }
