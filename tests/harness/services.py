"""Private PostgreSQL and Redis servers, and the binaries that tests need."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.harness.service_process import HOST, Service, ServiceError

_Found = TypeVar("_Found")


def require(name: str, found: _Found | None) -> _Found:
    """Return what was found, or skip the test; with CLEW_REQUIRE_SERVICES=1 fail it instead."""
    if found is not None:
        return found
    message = f"{name} was not found on this machine: install it, or put it on PATH"
    if os.environ.get("CLEW_REQUIRE_SERVICES") == "1":
        pytest.fail(message)
    pytest.skip(message)


def postgres_binaries(root: Path = Path("/usr/lib/postgresql")) -> Path | None:
    """Find the directory of `initdb` and `postgres`: the newest under `root`, or else on PATH."""
    versions = [path for path in root.glob("*/bin") if path.parent.name.isdecimal()]
    versions.sort(key=lambda path: int(path.parent.name), reverse=True)
    if on_path := shutil.which("initdb"):
        versions.append(Path(on_path).resolve().parent)
    for path in versions:
        if all(os.access(path / name, os.X_OK) for name in ("initdb", "postgres")):
            return path
    return None


def redis_binary() -> Path | None:
    """Find `redis-server` on PATH."""
    return _on_path("redis-server")


def pgbouncer_binary() -> Path | None:
    """Find `pgbouncer` on PATH, or where Debian has it."""
    return _on_path("pgbouncer", "/usr/sbin/pgbouncer")


def nginx_binary() -> Path | None:
    """Find `nginx` on PATH, or where Debian has it."""
    return _on_path("nginx", "/usr/sbin/nginx")


def chromium_binary() -> Path | None:
    """Find Chromium, or else Chrome, on PATH."""
    return _on_path("chromium", "chromium-browser", "google-chrome")


class Redis(Service):
    """A Redis server that keeps nothing: it is empty after every start."""

    name = "Redis"

    def __init__(self, binary: Path) -> None:
        super().__init__()
        self._binary = binary

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"redis://{HOST}:{self.port}/0"

    def _command(self) -> Sequence[str | Path]:
        options = {"--bind": HOST, "--port": str(self.port), "--save": "", "--appendonly": "no"}
        return [self._binary, *(word for option in options.items() for word in option)]

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class Unprivileged(Service):
    """A server that refuses to run as root; it runs under another account then."""

    def _surroundings(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return super()._surroundings()
        accounts = {entry.pw_name: entry for entry in pwd.getpwall()}
        account = accounts.get("postgres") or accounts.get("nobody")
        if account is None:
            raise ServiceError(
                f"{self.name} refuses root, and there is no account postgres or nobody"
            )
        ids = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}
        return super()._surroundings() | ids

    def _prepare(self) -> None:
        super()._prepare()
        surroundings = self._surroundings()
        if "user" in surroundings:
            os.chown(self.directory, surroundings["user"], surroundings["group"])


class Postgres(Unprivileged):
    """A PostgreSQL server with one empty database, whose data stays over restarts."""

    name = "PostgreSQL"
    _USER: ClassVar[str] = "clew"
    _DATABASE: ClassVar[str] = "clew"

    def __init__(self, binaries: Path) -> None:
        super().__init__()
        self._binaries = binaries

    @property
    def url(self) -> str:
        """The address of the database, for a superuser without a password."""
        return f"postgres://{self._USER}@{HOST}:{self.port}/{self._DATABASE}"

    def stop(self, *, immediate: bool = False) -> None:
        """End the server and its clients' connections; immediately means without a checkpoint."""
        self._end(signal.SIGQUIT if immediate else signal.SIGINT)

    def close(self) -> None:
        """End the server and remove its data; may be called twice."""
        try:
            # A killed server leaves a System V memory segment, which only its next start frees.
            if self._run is None and self._directory and (self._data / "postmaster.pid").exists():
                self.start()
            self.stop(immediate=True)
        finally:
            super().close()

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _prepare(self) -> None:
        super()._prepare()
        options = f"--username {self._USER} --auth trust --encoding UTF8 --locale C --no-sync"
        self._run_to_end("initdb", "--pgdata", self._data, *options.split())
        # Before the first start, so that whoever can connect finds the database.
        create = f"CREATE DATABASE {self._DATABASE}\n"
        self._run_to_end("postgres", "--single", "-F", "-D", self._data, "postgres", stdin=create)

    def _run_to_end(self, program: str, *arguments: str | Path, stdin: str = "") -> None:
        with self._log_path.open("ab") as log:
            status = subprocess.run(
                [self._binaries / program, *arguments],
                input=stdin.encode(),
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
                **self._surroundings(),
            ).returncode
        if status != 0:
            raise self._error(f"could not be prepared: {program} ended with status {status}")

    def _command(self) -> Sequence[str | Path]:
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            # In the data directory and not in /dev/shm, where a killed server would leave it.
            "dynamic_shared_memory_type": "mmap",
        }
        return [
            *(self._binaries / "postgres", "-D", self._data),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ]

    def _answers(self) -> bool:
        return _answers(self.url)


class PgBouncer(Unprivileged):
    """A PgBouncer in transaction mode, with few connections to a PostgreSQL server."""

    name = "PgBouncer"
    SERVER_CONNECTIONS: ClassVar[int] = 4

    def __init__(self, binary: Path, postgres: Postgres) -> None:
        super().__init__()
        self._binary = binary
        self._postgres = postgres

    @property
    def url(self) -> str:
        """The address of the server's database, by way of this."""
        return self._postgres.url.replace(f":{self._postgres.port}/", f":{self.port}/")

    def _prepare(self) -> None:
        super()._prepare()
        target = make_conninfo(self._postgres.url, client_encoding="UTF8")
        (self.directory / "pgbouncer.ini").write_text(
            f"""[databases]
* = {target}
[pgbouncer]
listen_addr = {HOST}
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {self.SERVER_CONNECTIONS}
min_pool_size = {self.SERVER_CONNECTIONS}
; A client gets another session each time, as it does where there are many clients.
server_round_robin = 1
"""
        )

    def _command(self) -> Sequence[str | Path]:
        return [self._binary, self.directory / "pgbouncer.ini"]

    def _answers(self) -> bool:
        return _answers(self.url)


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            connection.execute("select 1")
    except psycopg.OperationalError:
        return False
    return True


def _on_path(*names: str) -> Path | None:
    return next((Path(found) for name in names if (found := shutil.which(name))), None)
