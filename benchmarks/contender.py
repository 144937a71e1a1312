"""A server that is measured: what it is, and how it is run."""

import http.client
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from tests.harness.service_process import HOST, Service

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One row of the tables."""

    name: str
    about: str
    command: Callable[[int], Sequence[str | Path]]
    """What serves in the foreground on the port that it is given."""
    peer: str = ""
    """The folder in `benchmarks/peers` that says what is to be installed."""
    path: str = "/graphql/"
    limit: str = "limit-uvicorn"
    """The name of the limit that it is compared with."""
    seed: Sequence[str | Path] = ()
    """What fills the database, run before each start."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def surroundings(self, directory: Path) -> dict[str, str]:
        """Return the environment of its processes, whose data are in this folder."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "LC_ALL": "C.UTF-8",
            "DATABASE_URL": f"sqlite:///{directory / 'db.sqlite3'}",
            **self.environment,
        }


class FailedError(Exception):
    """A contender did not bear a workload; the message says why."""

    def __init__(self, contender: Contender, why: str) -> None:
        super().__init__(f"{contender.name}: {why}")
        self.contender = contender


class Server(Service):
    """A contender that runs, on the servers' core unless it is not `pinned`.

    Its database is its own, unless the environment names one, which may be `seeded` already.
    """

    name = "the server"
    start_seconds = 60.0

    def __init__(
        self,
        contender: Contender,
        environment: Mapping[str, str] | None = None,
        *,
        seeded: bool = False,
        pinned: bool = True,
    ) -> None:
        super().__init__()
        self.contender = contender
        self._given = environment or {}
        self._seeded = seeded
        self._pinned = pinned

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process has used."""
        return machine.cpu_seconds(self.pid)

    def resident(self) -> int:
        """Return the bytes of memory that the process has resident."""
        return machine.resident(self.pid)

    def _prepare(self) -> None:
        super()._prepare()
        if self.contender.seed and not self._seeded:
            done = subprocess.run(  # noqa: S603  (commands of this folder)
                self.contender.seed,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                **self._surroundings(),
            )
            if done.returncode != 0:
                raise self._error(f"could not be seeded: {done.stdout + done.stderr}")

    def _command(self) -> Sequence[str | Path]:
        return self.contender.command(self.port)

    def _surroundings(self) -> dict[str, Any]:
        environment = {**self.contender.surroundings(self.directory), **self._given}
        core, other = machine.cores()
        cores = {core} if self._pinned else {core, other}
        return {"cwd": ROOT, "env": environment, "preexec_fn": lambda: machine.pin(cores)}

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", "/fire?date=2030-01-01")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def uvicorn(application: str, python: str | Path = sys.executable) -> Callable[[int], list[str]]:
    """Return the command of Uvicorn as it is run in production, without access log."""
    options = (
        "--ws websockets-sansio --ws-per-message-deflate false --loop uvloop --http httptools"
        " --no-access-log --log-level warning --timeout-keep-alive 3600"
        # Who is only slow keeps its clients: 10,000 events can take a peer longer than 20 s.
        " --ws-ping-timeout 600"
    )
    return lambda port: [
        *(str(python), "-m", "uvicorn", application, "--host", HOST, "--port", str(port)),
        *options.split(),
    ]


def daphne(application: str, python: str | Path = sys.executable) -> Callable[[int], list[str]]:
    """Return the command of Daphne."""
    return lambda port: [
        *(str(python), "-m", "daphne", "--bind", HOST, "--port", str(port)),
        *("--verbosity", "0", "--ping-timeout", "600", application),
    ]
