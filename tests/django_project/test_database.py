"""The settings of the database connections."""

import json
from typing import Any

import pytest

from tests.harness.server import manage

SHOW = """
import json
from django.conf import settings
from realtime.database import Threads
options = settings.DATABASES["default"]["OPTIONS"]
options["pool"].pop("connection_class")
print(json.dumps({**options, "threads": sum(each.number for each in Threads),
                  "requests": settings.DJANGO_REQUESTS}))
"""


@pytest.fixture(scope="module")
def options() -> Any:
    url = "postgres://clew@localhost/clew?connect_timeout=7&sslmode=require"
    env = {"DEBUG": "1", "SECRET_KEY": "tests", "DATABASE_URL": url}
    return json.loads(manage("shell", "--verbosity", "0", "-c", SHOW, env=env))


def test_the_pool_has_a_connection_for_each_thread(options: Any) -> None:
    assert options["pool"]["max_size"] >= options["threads"] + options["requests"]


def test_the_options_of_the_url_go_first(options: Any) -> None:
    assert options["connect_timeout"] == 7
    assert options["sslmode"] == "require"


def test_a_host_that_is_gone_is_noticed(options: Any) -> None:
    silence = options["keepalives_idle"]
    silence += options["keepalives_count"] * options["keepalives_interval"]
    assert silence <= 30
    assert options["tcp_user_timeout"] <= 30_000
