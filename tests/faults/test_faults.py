"""Under every kind of fault each subscriber gets each event, once, in order, and nothing else.

`CLEW_FAULTS` is the number of deliveries, `CLEW_FAULTS_SEED` what the torment is drawn from.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.ledger import Report
from tests.faults.run import Plan, run
from tests.faults.tormentor import CUT, DRAINED, KILLED, POSTGRES, REDIS, STALLED
from tests.harness.server import manage
from tests.harness.servers import Environment, migrated
from tests.harness.services import Postgres, Redis, postgres_binaries, require

DELIVERIES = int(os.environ.get("CLEW_FAULTS", "30000"))
SEED = int(os.environ.get("CLEW_FAULTS_SEED", "1"))


EMBEDDED = {KILLED, DRAINED, CUT, STALLED}
"""The faults there are without PostgreSQL and Redis."""

BROKEN = ("Exception in ASGI", "never retrieved", "Task was destroyed", "Unexpected exception")
"""What no server may say: a fault ends in an error for a client, a close, or one line."""


def shown(report: Report, name: str, capsys: pytest.CaptureFixture[str]) -> Report:
    """Print the report; the logs of the servers go to build/."""
    Path("build").mkdir(exist_ok=True)
    logs = "".join(f"\n== {url}\n{log}" for url, log in report.logs.items())
    Path("build", f"faults-{name}.log").write_text(f"{report}\n{logs}")
    with capsys.disabled():
        sys.stdout.write(f"\n{name}\n{report}\n")
    return report


def assert_held(report: Report, plan: Plan, faults: set[str]) -> None:
    assert report.live.is_perfect
    assert report.live.deliveries >= plan.deliveries
    assert report.refused == 0
    assert report.faults.keys() == faults
    for log in report.logs.values():
        assert [words for words in BROKEN if words in log] == []


@pytest.fixture
def empty_postgres() -> Iterator[Postgres]:
    with Postgres(require("PostgreSQL", postgres_binaries())) as server:
        yield server


async def test_nothing_is_lost_on_postgresql_and_redis(
    empty_postgres: Postgres, redis_server: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    env = {
        "DEBUG": "0",
        "CLEW_DEMO": "1",
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECRET_KEY": "faults",
        "DATABASE_URL": empty_postgres.url,
        "REDIS_URL": redis_server.url,
    }
    manage("migrate", "--verbosity", "0", env=env)
    plan = Plan(deliveries=DELIVERIES, seed=SEED)
    report = await run(plan, env, redis=redis_server, postgres=empty_postgres)
    assert_held(shown(report, "scaled-out", capsys), plan, {*EMBEDDED, REDIS, POSTGRES})
    assert report.control is not None
    assert report.control.lost > 0, "the harness cannot see what is lost"


@pytest.fixture
def file(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return migrated(tmp_path_factory)


async def test_nothing_is_lost_on_sqlite(
    file: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan(
        deliveries=DELIVERIES // 10, seed=SEED, servers=2, subscribers=100, writers=2, hold=0.005
    )
    report = await run(plan, file)
    assert_held(shown(report, "embedded", capsys), plan, EMBEDDED)
