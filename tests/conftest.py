"""Fixtures of the whole suite."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management.commands import flush
from django.db.backends.base.introspection import BaseDatabaseIntrospection
from django.db.backends.utils import CursorWrapper

pytest_plugins = ["tests.harness.fixtures", "tests.harness.servers", "realtime.testing.fixtures"]


LONGEST = ("test_engine_elsewhere.py", "test_faults.py", "test_soak.py")
"""What takes minutes begins first, lest the other processes wait for it at the end."""


def pytest_configure(config: pytest.Config) -> None:
    """Pass over what Python tells of since 3.13: connections that are left to the collector.

    Django leaves those of SQLite when a thread of a request ends, redis-py those to a Redis that is
    away; the failure would be that of whatever test runs then. On Python 3.11 all warnings count.
    """
    if sys.version_info >= (3, 13):
        config.addinivalue_line("filterwarnings", "ignore:unclosed:ResourceWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


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


@pytest.fixture(scope="session", autouse=True)
def _permissions_stay() -> Iterator[None]:
    """Delete the rows of a test, but not Django's own: to make those again takes 50 ms."""
    kept = {"django_content_type", "auth_permission"}
    names = BaseDatabaseIntrospection.django_table_names

    def others(*args: Any, **kwargs: Any) -> list[str]:
        return [name for name in names(*args, **kwargs) if name not in kept]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseIntrospection, "django_table_names", others)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_: None)
        yield
