"""A crowd that was cut off and comes back at once, each client behind by as many events.

Only Clew has it: no peer can go on from where a client was.
"""

import json
from contextlib import closing
from dataclasses import dataclass
from time import monotonic

from benchmarks.contender import Contender, Server
from benchmarks.crowd import check, connect, disconnect
from benchmarks.events import DOCUMENT, fire
from benchmarks.poller import Poller
from benchmarks.tables import number, percentile, table
from benchmarks.trigger import Trigger
from benchmarks.wire import Client, ServerError

_PATIENCE = 120
_AFTERWARDS = 0.5
"""Seconds in which nothing more may come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a crowd's return took."""

    contender: Contender
    clients: int
    behind: int
    cpu: float
    """Seconds of CPU for all: handshakes, subscriptions and events."""
    seconds: list[float]
    """Of each client: from the first connection until it had all that it had missed."""
    grown: int
    """Bytes of resident memory more than before, with the crowd there."""


class _Crowd:
    """Clients that count the events that they get, each of which has another cursor."""

    def __init__(self, clients: int, behind: int) -> None:
        self._behind = behind
        self._cursors: list[list[str]] = [[] for _ in range(clients)]
        self.complete_at: list[float] = []

    def receive(self, client: Client, payload: bytes) -> None:
        """Take a result."""
        check(payload)
        cursors = self._cursors[client.index]
        cursors.append(_cursor(payload))
        if len(cursors) == self._behind:
            self.complete_at.append(monotonic())

    def compare(self) -> None:
        """Raise ServerError unless all have had the same events, each once, in one order."""
        first = self._cursors[0]
        if len(set(first)) != self._behind or any(each != first for each in self._cursors):
            raise ServerError("The clients that resumed have not had the same events.")


def measure(contender: Contender, clients: int, behind: int) -> Measured:
    """Cut a crowd off, send so many events, and let it come back."""
    with Server(contender) as server, closing(Poller()) as poller:
        after = _first_cursor(poller, server.port, contender.path)
        with closing(Trigger(poller, server.port)) as trigger:
            for _ in range(behind):
                message, _ = fire()
                trigger.send(message)
                trigger.wait()
        crowd = _Crowd(clients, behind)
        payload = {"query": DOCUMENT, "extensions": {"after": after}}
        cpu, memory, begin = server.cpu_seconds(), server.resident(), monotonic()
        connected = connect(
            poller,
            server.port,
            contender.path,
            [payload] * clients,
            crowd.receive,
            at_once=clients,
        )
        while len(crowd.complete_at) < clients:
            poller.poll(1)
            if monotonic() - begin > _PATIENCE:
                raise TimeoutError
        cpu, memory = server.cpu_seconds() - cpu, server.resident() - memory
        poller.idle(_AFTERWARDS)
        crowd.compare()
        disconnect(poller, connected)
        return Measured(
            contender=contender,
            clients=clients,
            behind=behind,
            cpu=cpu,
            seconds=[at - begin for at in crowd.complete_at],
            grown=memory,
        )


def _first_cursor(poller: Poller, port: int, path: str) -> str:
    cursors: list[str] = []
    clients = connect(
        poller,
        port,
        path,
        [{"query": DOCUMENT}],
        lambda _, payload: cursors.append(_cursor(payload)),
    )
    while not cursors:
        poller.poll(1)
    disconnect(poller, clients)
    return cursors[0]


def _cursor(payload: bytes) -> str:
    return str(json.loads(payload)["payload"]["extensions"]["cursor"])


def report(results: list[Measured], title: str) -> str:
    """Return a table."""
    rows = [
        [
            measured.contender.name,
            number(measured.cpu / measured.clients / measured.behind * 1e6),
            number(measured.cpu / measured.clients * 1e3),
            number(percentile(measured.seconds, 50)),
            number(percentile(measured.seconds, 99)),
            number(measured.grown / measured.clients / 1024),
        ]
        for measured in results
    ]
    head = (
        *("server", "CPU µs per event and client", "CPU ms per client"),
        *("p50 s", "p99 s", "KiB per client"),
    )
    return table(title, head, rows)
