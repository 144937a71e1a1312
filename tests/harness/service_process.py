"""A process that answers on a port of its own, for tests that stop, kill and restart it.

The calls block: a test whose event loop must go on meanwhile uses `asyncio.to_thread`.
"""

import os
import random
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

HOST = "127.0.0.1"

# Below the ephemeral ports of Linux and macOS: while a service is down, no outgoing connection
# may take its port, nor may a client that keeps reconnecting be connected to itself.
_PORTS = range(20_000, 30_000)
_POLL_SECONDS = 0.02
_LOG_TAIL = 4_000


class ServiceError(Exception):
    """A service did not start or end as asked; the message ends with the tail of its log."""


def free_port() -> int:
    """Return a loopback port on which nothing listens, outside the ephemeral range."""
    for port in random.sample(_PORTS, k=100):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ServiceError("no free port among a hundred tried")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run of a service: its process, and a pipe that ends with the last of its descendants."""

    process: subprocess.Popen[bytes]
    lifeline: int

    def wait(self, seconds: float) -> None:
        """Wait until the process and all its descendants have ended, or raise TimeoutError."""
        deadline = time.monotonic() + seconds
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        with selectors.DefaultSelector() as selector:
            selector.register(self.lifeline, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError


class Service(ABC):
    """A process on a port of its own, which a test may stop, kill and start again there.

    As a context manager it starts on entry, and on exit ends and leaves nothing behind.
    """

    name: ClassVar[str]
    stop_signal: signal.Signals = signal.SIGTERM
    start_seconds: float = 30.0
    stop_seconds: float = 15.0

    def __init__(self) -> None:
        self.port = free_port()
        self._directory: Path | None = None
        self._run: _Run | None = None
        self._last_log = ""

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """Return the command that serves on `self.port` in the foreground."""

    @abstractmethod
    def _answers(self) -> bool:
        """Tell whether the service answers now."""

    def _prepare(self) -> None:
        """Make the directory, and in it what the first start needs."""
        self._directory = Path(tempfile.mkdtemp(prefix="clew-tests-"))

    def _surroundings(self) -> dict[str, Any]:
        """Return the arguments of `subprocess.Popen` for the directory, environment and account."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), "LC_ALL": "C"}
        return {"cwd": self.directory, "env": environment}

    @property
    def directory(self) -> Path:
        """The temporary directory of the service, from its first start until `close`."""
        if self._directory is None:
            raise ServiceError(f"{self.name} was not started yet, or is closed")
        return self._directory

    @property
    def pid(self) -> int:
        """The process id, while the service runs."""
        if self._run is None:
            raise ServiceError(f"{self.name} does not run")
        return self._run.process.pid

    def log(self) -> str:
        """Return what the service has written so far, over all its runs; also after `close`."""
        if self._directory is None:
            return self._last_log
        path = self._log_path
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start the process and return when it answers; a failed start leaves nothing running."""
        if self._run is not None:
            raise ServiceError(f"{self.name} already runs")
        if self._directory is None:
            self._prepare()
        try:
            self._run = self._spawn()
            self._wait_until_it_answers(self._run.process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ask the process to end, and wait for it; nothing happens when it does not run."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End the process without a goodbye to anybody; nothing happens when it does not run."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End the process and remove its directory; may be called twice."""
        try:
            self.kill()
        finally:
            if self._directory is not None:
                self._last_log = self.log()
                shutil.rmtree(self._directory)
                self._directory = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _log_path(self) -> Path:
        return self.directory / "service.log"

    def _spawn(self) -> _Run:
        lifeline, held = os.pipe()
        try:
            with self._log_path.open("ab") as log:
                process = subprocess.Popen(
                    self._command(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=[held],
                    # Out of reach of the terminal's Ctrl-C: the teardown still needs the services.
                    process_group=0,
                    **self._surroundings(),
                )
        except BaseException:
            os.close(lifeline)
            raise
        finally:
            os.close(held)
        return _Run(process=process, lifeline=lifeline)

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.start_seconds
        while not self._answers():
            if time.monotonic() > deadline:
                raise self._error(f"did not answer within {self.start_seconds:g} s")
            try:
                status = process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            raise self._error(f"ended with status {status} before it answered")

    def _end(self, by: signal.Signals) -> None:
        run = self._run
        if run is None:
            return
        try:
            run.process.send_signal(by)
            run.wait(self.stop_seconds)
        except TimeoutError:
            what = f"did not end within {self.stop_seconds:g} s of {by.name}"
            raise self._error(what) from None
        finally:
            self._run = None
            with suppress(ProcessLookupError):  # workers may outlive a killed supervisor
                os.killpg(run.process.pid, signal.SIGKILL)
            run.process.wait()
            os.close(run.lifeline)

    def _error(self, what: str) -> ServiceError:
        return ServiceError(f"{self.name} {what}; its log ends:\n{self.log()[-_LOG_TAIL:]}")
