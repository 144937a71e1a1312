"""Queries and a mutation over HTTP, at several numbers of connections that stay open."""

import json
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from statistics import median
from time import monotonic

from benchmarks.contender import Contender, Server
from benchmarks.crowd import check
from benchmarks.poller import Poller
from benchmarks.tables import number, percentile, table
from benchmarks.trigger import Trigger, request

OPERATIONS = {
    "{ hello }": "{ hello }",
    "messages (100 rows)": (
        '{ messages(userId: "2") { success errors messages { content senderId recipientId } } }'
    ),
    "getOrders with users (1,000 rows)": "{ getOrders { date state user { username email } } }",
    "createMessage": (
        'mutation { createMessage(senderId: "3", recipientId: "4", content: "Hello there")'
        " { success errors message { content recipientId senderId } } }"
    ),
}
CONNECTIONS = (1, 16, 64)

_PATIENCE = 30


@dataclass(slots=True)
class Measured:
    """What was measured of one server at one number of connections."""

    contender: Contender
    cpu: list[float] = field(default_factory=list)
    """Of each round: seconds of CPU per request."""
    rates: list[float] = field(default_factory=list)
    """Of each round: requests per second."""
    latencies: list[float] = field(default_factory=list)
    """Of each request, in seconds."""


def measure(
    contenders: Sequence[Contender],
    query: str,
    connections: int,
    *,
    rounds: int = 3,
    seconds: float = 0.7,
) -> list[Measured]:
    """Measure the servers side by side: all are up, and take turns in each round."""
    body = json.dumps({"query": query}).encode()
    with ExitStack() as stack:
        poller = stack.enter_context(closing(Poller()))
        servers = [stack.enter_context(Server(contender)) for contender in contenders]
        results = [Measured(contender) for contender in contenders]
        for number_of_round in range(rounds + 1):
            for measured, server in zip(results, servers, strict=True):
                load = _Load(poller, server.port, request("POST", measured.contender.path, body))
                before = server.cpu_seconds()
                latencies, elapsed = load.run(connections, seconds)
                if number_of_round:  # the first one warms up
                    measured.cpu.append((server.cpu_seconds() - before) / len(latencies))
                    measured.rates.append(len(latencies) / elapsed)
                    measured.latencies += latencies
        return results


class _Load:
    """Connections that each send a request when the one before is answered."""

    def __init__(self, poller: Poller, port: int, message: bytes) -> None:
        self._poller = poller
        self._port = port
        self._message = message

    def run(self, connections: int, seconds: float) -> tuple[list[float], float]:
        """Return how long each request took, and the seconds from the first to the last."""
        latencies: list[float] = []
        with ExitStack() as stack:
            running: dict[Trigger, float] = {}
            for _ in range(connections):
                trigger = stack.enter_context(closing(Trigger(self._poller, self._port)))
                running[trigger] = monotonic()
                trigger.send(self._message)
            begin = heard = monotonic()
            while running:
                # Never asleep, as in `Poller.gather`.
                answered, now = self._poller.poll(), monotonic()
                if not answered and now - heard > _PATIENCE:
                    raise TimeoutError
                if not answered:
                    continue
                heard = now
                for trigger in [trigger for trigger in running if trigger.body is not None]:
                    if not latencies:
                        check(trigger.body or b"")
                    latencies.append(now - running[trigger])
                    if now - begin < seconds:
                        running[trigger] = now
                        trigger.send(self._message)
                    else:
                        del running[trigger]
            return latencies, monotonic() - begin


def report(results: Sequence[Measured], title: str) -> str:
    """Return a table; ratios are of the medians over the rounds."""
    cpu = {measured.contender.name: median(measured.cpu) for measured in results}
    ours = cpu.get("ours")
    rows = [
        [
            measured.contender.name,
            number(cpu[measured.contender.name] * 1e6),
            number(ours and cpu[measured.contender.name] / ours),
            number(median(measured.rates)),
            number(percentile(measured.latencies, 50) * 1e3),
            number(percentile(measured.latencies, 99) * 1e3),
        ]
        for measured in results
    ]
    head = ("server", "CPU µs per request", "× ours", "requests per second", "p50 ms", "p99 ms")
    return table(title, head, rows)
