"""Pytest plugin: the private services of a test session."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.services import (
    PgBouncer,
    Postgres,
    Redis,
    chromium_binary,
    pgbouncer_binary,
    postgres_binaries,
    redis_binary,
    require,
)


def pytest_configure() -> None:
    """Let SIGTERM end the session as Ctrl-C does, with a teardown: else the services would stay."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run a private PostgreSQL server; a test that stops it must start it again."""
    with Postgres(require("PostgreSQL", postgres_binaries())) as server:
        yield server


@pytest.fixture(scope="session")
def pgbouncer(postgres: Postgres) -> Iterator[PgBouncer]:
    """Run a private PgBouncer in front of the private PostgreSQL server."""
    with PgBouncer(require("pgbouncer", pgbouncer_binary()), postgres) as pooler:
        yield pooler


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """Run a private Redis server; a test that stops it must start it again."""
    with Redis(require("redis-server", redis_binary())) as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Return the path of the machine's Chromium."""
    return require("Chromium", chromium_binary())
