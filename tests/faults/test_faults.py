"""Under every kind of fault each subscriber gets each event, once, in order, and nothing else.

`CLEW_FAULTS` is the number of deliveries, `CLEW_FAULTS_SEED` what the torment is drawn from.
"""

import os
from pathlib import Path

import pytest

from tests.faults.run import Plan, Report, run
from tests.harness.server import manage
from tests.harness.servers import Environment, migrated
from tests.harness.services import Postgres, Redis

DELIVERIES = int(os.environ.get("CLEW_FAULTS", "50000"))
SEED = int(os.environ.get("CLEW_FAULTS_SEED", "1"))


def show(report: Report, capsys: pytest.CaptureFixture[str], name: str) -> None:
    Path("build").mkdir(exist_ok=True)
    logs = "\n".join(f"== {url}\n{log}" for url, log in report.logs.items())
    Path("build", f"faults-{name}.log").write_text(f"{report}\n{logs}")
    with capsys.disabled():
        import sys

        sys.stdout.write(f"\n{name}\n{report}\n")


async def test_nothing_is_lost_on_postgresql_and_redis(
    postgres: Postgres, redis_server: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    env = {
        "DEBUG": "0",
        "CLEW_DEMO": "1",
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECRET_KEY": "faults",
        "DATABASE_URL": postgres.url,
        "REDIS_URL": redis_server.url,
    }
    manage("migrate", "--verbosity", "0", env=env)
    plan = Plan(deliveries=DELIVERIES, seed=SEED)
    report = await run(plan, env, redis=redis_server, postgres=postgres)
    show(report, capsys, "PostgreSQL and Redis")
    assert report.live.is_perfect
    assert report.refused == 0
    assert report.live.deliveries >= plan.deliveries
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
    show(report, capsys, "SQLite")
    assert report.live.is_perfect
    assert report.refused == 0
