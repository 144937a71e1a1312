"""Fixtures of the whole suite; the environment that the settings read is set first."""

import os

# Nothing of the developer's own `.env` or shell may reach the tests.
os.environ.update(
    {
        "DEBUG": "0",
        "CLEW_DEMO": "1",
        "SECRET_KEY": "tests",
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
        "CORS_ALLOWED_ORIGINS": "https://app.example.org",
    }
)
# `CLEW_TEST_…` is how the suite runs parts of itself on PostgreSQL and Redis.
os.environ["DATABASE_URL"] = os.environ.get(
    "CLEW_TEST_DATABASE_URL", "sqlite:///build/unused.sqlite3"
)
os.environ["REDIS_URL"] = os.environ.get("CLEW_TEST_REDIS_URL", "")

pytest_plugins = ["tests.fixtures_services"]
