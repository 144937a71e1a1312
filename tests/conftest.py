"""Fixtures of the whole suite."""

from typing import Any

import pytest
from django.db.backends.utils import CursorWrapper

pytest_plugins = ["tests.harness.fixtures", "tests.harness.servers", "realtime.testing.fixtures"]


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the statements of every thread."""
    collected: list[str] = []

    def recording(method: Any) -> Any:
        def execute(self: CursorWrapper, sql: str, *args: Any) -> Any:
            collected.append(sql)
            return method(self, sql, *args)

        return execute

    for name in ("execute", "executemany"):
        monkeypatch.setattr(CursorWrapper, name, recording(getattr(CursorWrapper, name)))
    return collected


@pytest.fixture(scope="session", autouse=True)
def _application() -> None:
    """Make the application before a test changes a setting that is read once."""
    import django_project.asgi  # noqa: F401
