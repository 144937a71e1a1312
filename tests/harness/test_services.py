import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
import redis

from tests.harness.service_process import HOST, Service, ServiceError, free_port
from tests.harness.services import Postgres, Redis, postgres_binaries, redis_binary, require

# Services of this module's own: its failures must not reach the session's.


@pytest.fixture(scope="module")
def private_postgres() -> Iterator[Postgres]:
    with Postgres(require("PostgreSQL", postgres_binaries())) as server:
        yield server


@pytest.fixture(scope="module")
def private_redis() -> Iterator[Redis]:
    with Redis(require("redis-server", redis_binary())) as server:
        yield server


class Script(Service):
    """A Python script that never answers."""

    name = "the script"

    def __init__(self, script: str) -> None:
        super().__init__()
        self._script = script

    def _command(self) -> Sequence[str | Path]:
        return [sys.executable, "-u", "-c", self._script]

    def _answers(self) -> bool:
        return False


class TalkingScript(Script):
    """A Python script that answers by printing `ready`."""

    def _answers(self) -> bool:
        return "ready" in self.log()


ENDINGS: dict[str, Callable[[Postgres], None]] = {
    "stop": lambda server: server.stop(),
    "stop_immediately": lambda server: server.stop(immediate=True),
    "kill": lambda server: server.kill(),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_postgres_keeps_what_was_committed_over_a_restart(
    private_postgres: Postgres, ending: str
) -> None:
    with psycopg.connect(private_postgres.url) as connection:
        connection.execute("drop table if exists note")
        connection.execute("create table note as select 'kept' as text")
    url = private_postgres.url

    ENDINGS[ending](private_postgres)
    private_postgres.start()

    assert private_postgres.url == url
    with psycopg.connect(url) as connection:
        assert connection.execute("select text from note").fetchall() == [("kept",)]


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_ended_postgres_has_cut_its_clients_and_refuses_new_ones(
    private_postgres: Postgres, ending: str
) -> None:
    connection = psycopg.connect(private_postgres.url)
    try:
        ENDINGS[ending](private_postgres)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
        with pytest.raises(psycopg.OperationalError, match="refused"):
            psycopg.connect(private_postgres.url)
    finally:
        connection.close()
        private_postgres.start()


def test_postgres_lets_a_test_create_databases(private_postgres: Postgres) -> None:
    with psycopg.connect(private_postgres.url, autocommit=True) as connection:
        connection.execute("create database test_of_a_database")
        connection.execute("drop database test_of_a_database")


def test_a_killed_postgres_can_be_closed() -> None:
    server = Postgres(require("PostgreSQL", postgres_binaries()))
    with server:
        directory = server.directory
        server.kill()

    assert not directory.exists()
    assert "database system was not properly shut down" in server.log()


@pytest.mark.parametrize("ending", [Redis.stop, Redis.kill])
def test_redis_starts_again_empty_on_its_port(
    private_redis: Redis, ending: Callable[[Redis], None]
) -> None:
    with redis.Redis.from_url(private_redis.url) as client:
        client.set("note", "lost")

    ending(private_redis)
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection((HOST, private_redis.port)),
    ):
        pass
    private_redis.start()

    with redis.Redis.from_url(private_redis.url) as client:
        assert client.dbsize() == 0


def test_a_service_is_closed_when_its_block_ends() -> None:
    with TalkingScript("print('ready'); import time; time.sleep(60)") as service:
        directory = service.directory
        assert service.pid > 0

    assert not directory.exists()
    assert service.log() == "ready\n"
    with pytest.raises(ServiceError, match="does not run"):
        _ = service.pid


def test_a_service_is_not_started_twice() -> None:
    with (
        TalkingScript("print('ready'); import time; time.sleep(60)") as service,
        pytest.raises(ServiceError, match="already runs"),
    ):
        service.start()


def test_a_service_that_dies_at_once_is_reported_with_its_log() -> None:
    service = Script("print('no such option'); raise SystemExit(3)")

    with pytest.raises(ServiceError, match=r"ended with status 3 .*\n.*no such option"), service:
        pass


def test_a_service_that_never_answers_is_ended_and_reported_with_its_log() -> None:
    service = Script("print('thinking'); import time; time.sleep(60)")
    service.start_seconds = 0.5

    with pytest.raises(ServiceError, match=r"did not answer within 0.5 s.*\nthinking"):
        service.start()

    with pytest.raises(ServiceError, match="does not run"):
        _ = service.pid
    service.close()


def test_a_service_deaf_to_its_signal_is_killed_and_reported() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    with TalkingScript(f"{deaf}; print('ready'); time.sleep(60)") as service:
        service.stop_seconds = 0.2
        with pytest.raises(ServiceError, match=f"of {signal.SIGTERM.name}"):
            service.stop()


def test_the_end_of_a_service_is_that_of_its_descendants() -> None:
    child = "import time; time.sleep(0.5); print('child ends')"
    command = f"[sys.executable, '-u', '-c', {child!r}]"
    parent = f"import subprocess, sys, time; subprocess.Popen({command}, close_fds=False)"
    with TalkingScript(f"{parent}; print('ready'); time.sleep(60)") as service:
        service.kill()
        assert "child ends" in service.log()


def test_a_taken_port_is_reported() -> None:
    service = Redis(require("redis-server", redis_binary()))
    with socket.socket() as taken:
        taken.bind((HOST, service.port))
        with pytest.raises(ServiceError, match="Address already in use"), service:
            pass


def test_free_ports_lie_outside_the_ephemeral_range() -> None:
    assert free_port() < 30_000


def test_require_returns_what_was_found(tmp_path: Path) -> None:
    assert require("Something", tmp_path) is tmp_path


def test_require_skips_without_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLEW_REQUIRE_SERVICES", raising=False)

    with pytest.raises(pytest.skip.Exception, match="Something was not found on this machine"):
        require("Something", None)


def test_require_fails_without_the_service_where_services_are_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLEW_REQUIRE_SERVICES", "1")

    with pytest.raises(pytest.fail.Exception, match="Something was not found on this machine"):
        require("Something", None)


def test_the_newest_complete_postgres_is_found(tmp_path: Path) -> None:
    for version, names in {
        "9": ["initdb", "postgres"],
        "16": ["initdb", "postgres"],
        "17": ["psql"],
    }.items():
        directory = tmp_path / version / "bin"
        directory.mkdir(parents=True)
        for name in names:
            (directory / name).touch(mode=0o755)

    assert postgres_binaries(tmp_path) == tmp_path / "16" / "bin"


def test_no_postgres_is_found_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert postgres_binaries(tmp_path) is None
