"""Orders from before an order had a day keep their moment, and get its day."""

import json
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.harness.server import manage
from tests.harness.services import Postgres

MOMENTS = {
    "2026-01-31T10:30:00.123456+00:00": "2026-01-31",
    "2026-01-31T11:00:00+00:00": "2026-02-01",  # in Auckland, 13 hours ahead in January
}

SCRIPT = """
import json
from datetime import datetime
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

def models(name):
    return MigrationExecutor(connection).loader.project_state([("orders", name)]).apps

call_command("migrate", "orders", "0002", verbosity=0)
before = models("0002_pages")
user = before.get_model("accounts", "User").objects.create(username="ariadne")
for moment in {moments}:
    before.get_model("orders", "Order").objects.create(
        user=user, date=datetime.fromisoformat(moment)
    )
call_command("migrate", "orders", verbosity=0)
from orders.models import Order
there = [
    (order.created_at.isoformat(), order.date.isoformat()) for order in Order.objects.order_by("pk")
]
call_command("migrate", "orders", "0002", verbosity=0)
back = before.get_model("orders", "Order").objects.order_by("pk").values_list("date", flat=True)
print(json.dumps({{"there": there, "back": [moment.isoformat() for moment in back]}}))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'db.sqlite3'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    name = f"orders_{uuid4().hex}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres.url.rpartition("/")[0] + f"/{name}"


def test_orders_keep_their_moment_and_get_its_day(database: str, tmp_path: Path) -> None:
    settings = "from django_project.settings import *\nTIME_ZONE = 'Pacific/Auckland'\n"
    (tmp_path / "settings_in_auckland.py").write_text(settings)
    environment = {
        "SECRET_KEY": "migrations",
        "DATABASE_URL": database,
        "DJANGO_SETTINGS_MODULE": "settings_in_auckland",
        "PYTHONPATH": str(tmp_path),
    }
    script = SCRIPT.format(moments=list(MOMENTS))
    done = json.loads(manage("shell", "--no-imports", "-c", script, env=environment))
    assert done == {
        "there": [[moment, day] for moment, day in MOMENTS.items()],
        "back": list(MOMENTS),
    }
