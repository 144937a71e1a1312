"""The engine's tests again, on PostgreSQL and Redis: they run beside the others, for minutes."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.server import ROOT
from tests.harness.services import Postgres, Redis, postgres_binaries, redis_binary, require

OPTIONS = (
    *("-q", "-p", "no:cacheprovider", "--reuse-db"),
    *("-m", "django_db"),  # the others use neither
    # It has a Redis anyway, and whose session it is does not depend on the database.
    *("--ignore", "tests/realtime/test_doorbell.py"),
    *("--ignore", "tests/realtime/test_authentication.py"),
    "tests/realtime",
)


class EngineElsewhere:
    """One run of them, in a process of its own, with services of its own."""

    def __init__(self) -> None:
        self._postgres = require("PostgreSQL", postgres_binaries())
        self._redis = require("redis-server", redis_binary())
        self._process: subprocess.Popen[str] | None = None
        self._pool = ThreadPoolExecutor(1)
        self._run = self._pool.submit(self._serve)

    def result(self) -> tuple[int, str]:
        """Wait for its end; return the status and what it printed."""
        return self._run.result(timeout=400)

    def end(self) -> None:
        """End it. Idempotent."""
        if self._process is not None:
            self._process.terminate()
        self._pool.shutdown()

    def _serve(self) -> tuple[int, str]:
        with Postgres(self._postgres) as postgres, Redis(self._redis) as redis:
            urls = {"CLEW_TEST_DATABASE_URL": postgres.url, "CLEW_TEST_REDIS_URL": redis.url}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *OPTIONS],
                cwd=ROOT,
                env={**os.environ, **urls},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            output, _ = self._process.communicate()
            return self._process.returncode, output


_running: list[EngineElsewhere] = []


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin, if it is asked for among others, so that it is done when it is its turn."""
    wanted = any("engine_elsewhere" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly and postgres_binaries() and redis_binary():
        _running.append(EngineElsewhere())


def pytest_sessionfinish() -> None:
    """End it, if it was not waited for."""
    for each in _running:
        each.end()


@pytest.fixture
def engine_elsewhere() -> EngineElsewhere:
    """Return the run."""
    if not _running:
        _running.append(EngineElsewhere())
    return _running[0]
