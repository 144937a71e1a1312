"""What an honest client sees of a server under attack, one attack at a time.

The server has the limits of production. The honest client has logged in and asks `{ hello }` ten
times a second; its latencies count from when each request was due, so that a stall counts for all
that should have been asked meanwhile.
"""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks import machine
from benchmarks.attacks.wire import Target
from benchmarks.contender import ROOT, Contender, Server
from benchmarks.ours.hostile_seed import PASSWORD, USERNAME
from benchmarks.tables import number, percentile, table
from tests.harness.service_process import HOST

PERIOD = 0.1
"""Seconds between the requests of the honest client."""
BEFORE = 3.0
"""Seconds that it asks undisturbed."""
AFTER = 30.0
"""Seconds in which memory is to come back."""
GIVEN_BACK = 16 << 20
"""Bytes above what there was before that count as given back."""
PATIENCE = 60.0
"""Seconds until the honest client gives a request up."""


@dataclass(slots=True)
class Measured:
    """One attack: latencies in seconds, memory in bytes, CPU in cores."""

    name: str
    calm: list[float] = field(default_factory=list)
    attacked: list[float] = field(default_factory=list)
    refused: int = 0
    """Requests of the honest client that were not answered as they should be."""
    cpu: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    recovery: float | None = None
    """Seconds until memory was given back; None if it was not."""


class _Honest:
    """The honest client: one connection, made anew when it breaks."""

    def __init__(self, port: int, token: str = "") -> None:
        self._port = port
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, query: str, **variables: Any) -> Any:
        """Return the data of an answer. Raises OSError, HTTPException or ValueError."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(HOST, self._port, timeout=PATIENCE)
        try:
            body = json.dumps({"query": query, "variables": variables})
            self._connection.request("POST", "/graphql/", body, self._headers)
            answer = json.loads(self._connection.getresponse().read())
        except BaseException:
            self.close()
            raise
        if answer.get("errors"):
            raise ValueError(answer["errors"])
        return answer["data"]

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def latencies(self, seconds: float, measured: Measured) -> Iterator[float]:
        """Ask for so many seconds; yield the latency of each request."""
        start = time.monotonic()
        for turn in range(round(seconds / PERIOD)):
            due = start + turn * PERIOD
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if self.ask("{ hello }") != {"hello": "Hello world!"}:
                    measured.refused += 1
            except (OSError, http.client.HTTPException, ValueError):
                measured.refused += 1
            yield time.monotonic() - due


def measure(ours: Contender, name: str, *, seconds: float = 10.0) -> Measured:
    """Measure one attack on a fresh server."""
    measured = Measured(name)
    with Server(ours) as server, closing(_Honest(server.port)) as newcomer:
        token = newcomer.ask(
            "mutation($u:String!,$p:String!){login(username:$u,password:$p){token}}",
            u=USERNAME,
            p=PASSWORD,
        )["login"]["token"]
        with closing(_Honest(server.port, token)) as honest:
            target = Target(
                port=server.port,
                token=token,
                username=USERNAME,
                password=PASSWORD,
                cursor=honest.ask("{orders(first:1){cursor}}")["orders"]["cursor"],
            )
            _measure(server, honest, target, measured, seconds)
    return measured


def _measure(
    server: Server, honest: _Honest, target: Target, measured: Measured, seconds: float
) -> None:
    machine.forget_peak(server.pid)
    with _using(server, measured, "before"):
        measured.calm += honest.latencies(BEFORE, measured)
    measured.refused = 0
    with _attacking(target, measured.name), _using(server, measured, "during"):
        measured.attacked += honest.latencies(seconds, measured)
    start = time.monotonic()
    with _using(server, measured, "after"):
        while (passed := time.monotonic() - start) < AFTER:
            if server.resident() <= measured.memory["before"] + GIVEN_BACK:
                measured.recovery = passed
                break
            time.sleep(0.5)
        else:
            passed = AFTER
        time.sleep(max(0.0, 1.0 - passed))  # long enough for the CPU


@contextmanager
def _using(server: Server, measured: Measured, when: str) -> Iterator[None]:
    start, used = time.monotonic(), server.cpu_seconds()
    yield
    measured.cpu[when] = (server.cpu_seconds() - used) / (time.monotonic() - start)
    measured.memory[when] = max(server.resident(), machine.peak(server.pid))
    machine.forget_peak(server.pid)


@contextmanager
def _attacking(target: Target, name: str) -> Iterator[None]:
    fields = {name: getattr(target, name) for name in Target.__slots__}
    process = subprocess.Popen(  # noqa: S603  (a module of ours)
        [sys.executable, "-m", "benchmarks.attacks", name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(fields).encode())
        process.stdin.close()
        yield
        if process.poll() is not None:
            raise RuntimeError(f"The attack {name} ended by itself, with {process.returncode}")
    finally:
        process.kill()
        process.wait()


def report(results: Sequence[Measured]) -> str:
    """Return a table."""
    return table(
        "One honest client beside an attack of ten seconds",
        (
            *("attack", "p50 ms", "p99 ms", "p99 ms without", "refused"),
            *("cores", "before", "after"),
            *("MB more", "given back s"),
        ),
        [_row(measured) for measured in results],
    )


def _row(measured: Measured) -> list[str]:
    memory = measured.memory
    return [
        measured.name,
        number(percentile(measured.attacked, 50) * 1e3),
        number(percentile(measured.attacked, 99) * 1e3),
        number(percentile(measured.calm, 99) * 1e3),
        str(measured.refused),
        *(number(measured.cpu[when]) for when in ("during", "before", "after")),
        number((memory["during"] - memory["before"]) / 1e6),
        number(measured.recovery),
    ]
