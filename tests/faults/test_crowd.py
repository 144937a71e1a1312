"""Fifty writers on PostgreSQL: no deadlock, no hole, whatever the order of their topics."""

import json

import psycopg

from tests.faults.crowd import TRANSACTIONS, WRITERS
from tests.harness.server import manage
from tests.harness.services import Postgres


def test_fifty_writers_at_once(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE crowd")  # others have events in theirs
    env = {
        "DEBUG": "0",
        "CLEW_DEMO": "1",
        "SECRET_KEY": "crowd",
        "DATABASE_URL": postgres.url.rpartition("/")[0] + "/crowd",
        "REDIS_URL": "",
    }
    manage("migrate", "--verbosity", "0", env=env)
    command = "from tests.faults import crowd; crowd.run()"
    report = json.loads(manage("shell", "--verbosity", "0", "-c", command, env=env))
    assert report["whole"]
    counts = report["counts"]
    assert counts["orders"] == WRITERS * TRANSACTIONS
    inboxes = [count for topic, count in counts.items() if topic.startswith("inbox.")]
    assert sum(inboxes) == 3 * WRITERS * TRANSACTIONS
