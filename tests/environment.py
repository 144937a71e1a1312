"""The environment of the tests, which `tests.settings` imports before the project's settings.

Nothing of the developer's own `.env` or shell may reach the tests.
"""

import os
from pathlib import Path

# For the databases of the tests.
(Path(__file__).resolve().parents[1] / "build").mkdir(exist_ok=True)

os.environ.update(
    {
        "CLEW_ENV_FILE": os.devnull,
        "DEBUG": "0",
        "CLEW_DEMO": "1",
        "CLEW_INTROSPECTION": "1",
        "SECRET_KEY": "tests",
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
        "CORS_ALLOWED_ORIGINS": "https://app.example.org",
        # Tests of rates set their own.
        "CLEW_OPERATION_RATE": "0",
        "CLEW_MESSAGE_RATE": "0",
        "CLEW_REGISTRATION_RATE": "0",
        "CLEW_HASHING_RATE": "0",
        # The suite runs parts of itself again on PostgreSQL and Redis.
        "DATABASE_URL": os.environ.get("CLEW_TEST_DATABASE_URL", "sqlite:///build/unused.sqlite3"),
        "REDIS_URL": os.environ.get("CLEW_TEST_REDIS_URL", ""),
    }
)
