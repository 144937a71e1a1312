"""The engine's tests again, on PostgreSQL and Redis, in a process of its own."""

import os
import subprocess
import sys

from tests.harness.server import ROOT
from tests.harness.services import Postgres, Redis

LEFT_OUT = ("doorbell", "authentication", "collector", "places", "trusted_documents")
"""The first has a Redis anyway; of the others nothing depends on the database."""

OPTIONS = (
    *("-q", "-p", "no:cacheprovider", "--reuse-db"),
    *("-m", "django_db"),  # the others use neither
    *(f"--ignore=tests/realtime/test_{name}.py" for name in LEFT_OUT),
    "tests/realtime",
)


def test_it_passes_its_tests_on_postgresql_and_redis(
    postgres: Postgres, redis_server: Redis
) -> None:
    urls = {"CLEW_TEST_DATABASE_URL": postgres.url, "CLEW_TEST_REDIS_URL": redis_server.url}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS],
        cwd=ROOT,
        env={**os.environ, **urls},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
