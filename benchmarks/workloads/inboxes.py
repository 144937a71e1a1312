"""As many inboxes as subscribers, and messages to random ones: nothing can be shared."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from time import monotonic, monotonic_ns

from benchmarks.contender import Contender, Server
from benchmarks.crowd import Crowd
from benchmarks.poller import Poller
from benchmarks.tables import number, percentile, table
from benchmarks.trigger import request

INBOXES = 1_000
"""As many as there are users."""
AT_ONCE = (1, 16, 64)
"""Messages that are sent together, each to another inbox, over a connection of its own."""

_SUBSCRIPTION = """subscription ($id: String!) {
  messages(userId: $id) { content senderId recipientId }
}"""
_MUTATION = """mutation ($to: String!, $content: String!) {
  createMessage(senderId: "1", recipientId: $to, content: $content) {
    success errors message { content recipientId senderId }
  }
}"""
_numbers = count(1)


@dataclass(slots=True)
class Measured:
    """What was measured of one server."""

    contender: Contender
    cpu: list[float] = field(default_factory=list)
    """Of each round: seconds of CPU per message, mutation included."""
    latencies: list[float] = field(default_factory=list)
    """Of each message: seconds until the recipient had it; of several at once, the last one's."""


def measure(
    contenders: Sequence[Contender],
    at_once: int,
    *,
    rounds: int = 5,
    seconds: float = 0.5,
    warm_up: float = 1.5,
) -> list[Measured]:
    """Measure the servers side by side: all are up, and take turns in each round.

    The next messages are sent when those before are there.
    """
    dice = random.Random(0)  # noqa: S311  (not for secrets)
    with ExitStack() as stack:
        poller = stack.enter_context(closing(Poller()))
        entered = [stack.enter_context(_opened(poller, each)) for each in contenders]
        for _, _, crowd in entered:
            _messages(crowd, dice, at_once, warm_up)
        for _ in range(rounds):
            for measured, server, crowd in entered:
                before = server.cpu_seconds()
                latencies = _messages(crowd, dice, at_once, seconds)
                used = server.cpu_seconds() - before
                measured.cpu.append(used / (len(latencies) * at_once))
                measured.latencies += latencies
        return [measured for measured, _, _ in entered]


@contextmanager
def _opened(poller: Poller, contender: Contender) -> Iterator[tuple[Measured, Server, Crowd]]:
    with Server(contender) as server, closing(Crowd(poller, server.port, contender.path)) as crowd:
        variables = [{"id": str(user)} for user in range(1, INBOXES + 1)]
        crowd.open([{"query": _SUBSCRIPTION, "variables": each} for each in variables])

        def to_each(seconds: float) -> None:
            for recipient in range(INBOXES):
                _send(crowd, [recipient], seconds)

        crowd.settle(to_each)
        yield Measured(contender), server, crowd


def _messages(crowd: Crowd, dice: random.Random, at_once: int, seconds: float) -> list[float]:
    end = monotonic() + seconds
    latencies = []
    while monotonic() < end:
        latencies.append(_send(crowd, dice.sample(range(INBOXES), at_once)))
    return latencies


def _send(crowd: Crowd, recipients: Sequence[int], seconds: float = 30) -> float:
    """Send the same message to each; return the seconds until the last has it."""
    content = f"message {next(_numbers)}."
    bodies = (
        {"query": _MUTATION, "variables": {"to": str(recipient + 1), "content": content}}
        for recipient in recipients
    )
    requests = [request("POST", crowd.path, json.dumps(body).encode()) for body in bodies]
    clients = [crowd.clients[recipient] for recipient in recipients]
    begin = monotonic_ns()
    last, _ = crowd.deliver_all(requests, content.encode(), clients, seconds)
    return (last - begin) / 1e9


def report(results: Sequence[Measured], title: str) -> str:
    """Return a table; ratios are of the medians over the rounds."""
    cpu = {measured.contender.name: median(measured.cpu) for measured in results}
    ours = cpu.get("ours")
    rows = [
        [
            measured.contender.name,
            number(cpu[measured.contender.name] * 1e6),
            number(ours and cpu[measured.contender.name] / ours),
            number(percentile(measured.latencies, 50) * 1e3),
            number(percentile(measured.latencies, 99) * 1e3),
        ]
        for measured in results
    ]
    head = ("server", "CPU µs per message", "× ours", "p50 ms", "p99 ms")
    return table(title, head, rows)
