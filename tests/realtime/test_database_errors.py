"""What clients learn of a database that is locked, that is away, or that has another fault."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
from django.db import InterfaceError, OperationalError
from graphql import GraphQLError
from psycopg import errors
from psycopg_pool import PoolTimeout

from realtime.errors import report_error


def sqlite_error(path: Path, *, locked: bool) -> sqlite3.Error:
    with sqlite3.connect(path) as database, sqlite3.connect(path, timeout=0) as other:
        if locked:
            database.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as caught:
            other.execute("BEGIN IMMEDIATE" if locked else "SELECT * FROM nothing")
    database.close()
    other.close()
    return caught.value


def code(cause: Exception | None, kind: type[Exception] = OperationalError) -> str:
    error = kind("of the driver")
    error.__cause__ = cause
    formatted = report_error(GraphQLError("of the driver", original_error=error))
    return str(formatted["extensions"]["code"])


@pytest.mark.parametrize(
    "cause", [errors.LockNotAvailable(), errors.DeadlockDetected(), errors.SerializationFailure()]
)
def test_another_transaction_in_the_way_is_a_conflict(cause: Exception) -> None:
    assert code(cause) == "CONFLICT"


def test_a_locked_sqlite_is_a_conflict(tmp_path: Path) -> None:
    assert code(sqlite_error(tmp_path / "db.sqlite3", locked=True)) == "CONFLICT"


@pytest.mark.parametrize(
    "cause",
    [
        psycopg.OperationalError(),
        PoolTimeout(),
        errors.AdminShutdown(),
        errors.TooManyConnections(),
    ],
)
def test_a_database_that_is_away_is_unavailable(cause: Exception) -> None:
    assert code(cause) == "UNAVAILABLE"


def test_a_closed_connection_is_unavailable() -> None:
    assert code(None, InterfaceError) == "UNAVAILABLE"


def test_a_fault_of_a_statement_is_internal(tmp_path: Path) -> None:
    assert code(sqlite_error(tmp_path / "db.sqlite3", locked=False)) == "INTERNAL_SERVER_ERROR"
