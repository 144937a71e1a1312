"""Connections to PostgreSQL with limits of what they wait for."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import ConnectionPool

from realtime import deadlines
from realtime.deadlines import Limits
from realtime.postgresql import Connection, NoAnswerError
from tests.harness.services import Postgres


@pytest.fixture
def connection(postgres: Postgres) -> Iterator[Connection]:
    with Connection.connect(postgres.url) as connection:
        yield connection


@contextmanager
def limited(*, answer: float = 60.0, lock: float = 60.0) -> Iterator[None]:
    with deadlines.limited(Limits(answer, lock)):
        yield


def value(connection: Connection, statement: str) -> object:
    row = connection.cursor().execute(statement).fetchone()
    assert row is not None
    return row[0]


class TestLock:
    def test_a_transaction_has_the_limit(self, connection: Connection) -> None:
        with limited(lock=1.5):
            assert value(connection, "SHOW lock_timeout") == "1500ms"

    def test_the_limit_ends_with_the_transaction(self, connection: Connection) -> None:
        with limited(lock=1.5):
            value(connection, "SELECT 1")
        connection.commit()
        assert value(connection, "SHOW lock_timeout") == "0"

    def test_nothing_is_limited_by_itself(self, connection: Connection) -> None:
        assert value(connection, "SHOW lock_timeout") == "0"

    def test_the_isolation_level_is_kept(self, connection: Connection) -> None:
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        with limited(lock=1.5):
            assert value(connection, "SHOW transaction_isolation") == "serializable"

    def test_who_waits_longer_gets_an_error(
        self, connection: Connection, postgres: Postgres
    ) -> None:
        with psycopg.connect(postgres.url) as other, limited(lock=0.05):
            other.execute("SELECT pg_advisory_xact_lock(1)")
            with pytest.raises(errors.LockNotAvailable):
                value(connection, "SELECT pg_advisory_xact_lock(1)")


class TestAnswer:
    def test_a_connection_without_one_is_closed(self, connection: Connection) -> None:
        with limited(answer=0.1), pytest.raises(NoAnswerError):
            value(connection, "SELECT pg_sleep(60)")
        assert connection.closed

    def test_the_server_cancels_the_statement(
        self, connection: Connection, postgres: Postgres
    ) -> None:
        with limited(answer=0.1), pytest.raises(NoAnswerError):
            value(connection, "SELECT pg_sleep(61)")
        running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(61)'"
        with psycopg.connect(postgres.url, autocommit=True) as other:
            deadline = time.monotonic() + 10
            while other.execute(running).fetchone() != (0,):
                assert time.monotonic() < deadline

    def test_one_in_time_is_returned(self, connection: Connection) -> None:
        with limited(answer=60):
            assert value(connection, "SELECT pg_sleep(0.3)::text || 'done'") == "done"

    def test_the_process_that_ends_waits_no_longer(self, connection: Connection) -> None:
        with deadlines.limited_process(Limits()):
            deadlines.end_within(0.1)
            with pytest.raises(NoAnswerError):
                value(connection, "SELECT pg_sleep(60)")

    def test_the_pool_replaces_the_connection(self, postgres: Postgres) -> None:
        with ConnectionPool(postgres.url, connection_class=Connection, max_size=1, min_size=1) as p:
            with limited(answer=0.1), pytest.raises(NoAnswerError), p.connection() as connection:
                value(connection, "SELECT pg_sleep(60)")
            with p.connection() as connection:
                assert value(connection, "SELECT 1") == 1


class TestLimits:
    def test_inner_ones_do_not_extend_outer_ones(self) -> None:
        with limited(answer=1, lock=3), limited(answer=2, lock=2):
            assert deadlines.limits() == (1, 2)

    def test_those_of_the_process_are_for_code_without_its_own(self) -> None:
        with deadlines.limited_process(Limits(7, 8)):
            assert deadlines.limits() == (7, 8)
        assert deadlines.limits() == Limits()
