"""One event to all subscribers of a server: the same operation, or several documents."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import monotonic

from benchmarks.contender import Contender, Server
from benchmarks.crowd import Crowd
from benchmarks.poller import Poller
from benchmarks.tables import number, percentile, table

DOCUMENT = "subscription { getOrder { state date user { username email } } }"
WARM_UP = 100
"""Subscribers that come first, so that memory is measured without what is loaded once."""

_SETTLED = 0.02
"""Seconds in which a server comes to rest after the last client has an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long to measure."""

    rounds: int = 5
    seconds: float = 0.5
    """Of a round; at least one event is sent."""
    warm_up: float = 1.5
    """Seconds before the first round, in which Node.js compiles what it runs often."""


@dataclass(slots=True)
class Measured:
    """What was measured of one server."""

    contender: Contender
    subscribers: int
    bytes_each: float = 0.0
    """Resident memory per connection with one live subscription."""
    cpu: list[float] = field(default_factory=list)
    """Of each round: seconds of CPU per delivery."""
    latencies: list[float] = field(default_factory=list)
    """Of each event: seconds from its commit until the last client had it."""


def measure(
    contenders: Sequence[Contender],
    subscribers: int,
    *,
    pace: Pace = Pace(),
    documents: Sequence[str] = (DOCUMENT,),
) -> list[Measured]:
    """Measure the servers side by side: all are up, and take turns in each round."""
    with ExitStack() as stack:
        poller = stack.enter_context(closing(Poller()))
        entered = [
            stack.enter_context(_crowd(poller, contender, subscribers, documents))
            for contender in contenders
        ]
        for _, _, crowd in entered:
            _events(crowd, pace.warm_up)
        for _ in range(pace.rounds):
            for measured, server, crowd in entered:
                _round(poller, measured, server, crowd, pace.seconds)
        return [measured for measured, _, _ in entered]


@contextmanager
def _crowd(
    poller: Poller, contender: Contender, subscribers: int, documents: Sequence[str]
) -> Iterator[tuple[Measured, Server, Crowd]]:
    with Server(contender) as server:
        crowd = Crowd(poller, server.port, contender.path)
        with closing(crowd):
            first = min(WARM_UP, subscribers // 2)
            crowd.open(documents, first)
            crowd.settle()
            before = server.resident()
            crowd.open(documents, subscribers - first)
            crowd.settle()
            grown = server.resident() - before
            bytes_each = grown / (subscribers - first)
            yield Measured(contender, subscribers, bytes_each), server, crowd


def _round(
    poller: Poller, measured: Measured, server: Server, crowd: Crowd, seconds: float
) -> None:
    """Send events one after the other, each when the last client has the one before."""
    crowd.event()  # warms the caches of a core that another server had
    poller.idle(_SETTLED)
    before = server.cpu_seconds()
    latencies = _events(crowd, seconds)
    poller.idle(_SETTLED)
    used = server.cpu_seconds() - before
    measured.cpu.append(used / (len(latencies) * measured.subscribers))
    measured.latencies += latencies


def _events(crowd: Crowd, seconds: float) -> list[float]:
    end = monotonic() + seconds
    latencies = [crowd.event()]
    while monotonic() < end:
        latencies.append(crowd.event())
    return latencies


def report(results: Sequence[Measured], title: str) -> str:
    """Return a table; ratios are of the medians over the rounds."""
    cpu = {measured.contender.name: median(measured.cpu) for measured in results}
    ours = cpu.get("ours")
    rows = []
    for measured in results:
        own, limit = cpu[measured.contender.name], cpu.get(measured.contender.limit)
        rows.append(
            [
                measured.contender.name,
                number(own * 1e6),
                number(limit and own / limit),
                number(ours and own / ours),
                number(percentile(measured.latencies, 50) * 1e3),
                number(percentile(measured.latencies, 99) * 1e3),
                str(len(measured.latencies)),
                number(measured.bytes_each / 1024),
            ]
        )
    head = (
        *("server", "CPU µs per delivery", "× its limit", "× ours"),
        *("p50 ms", "p99 ms", "events", "KiB per connection"),
    )
    return table(title, head, rows)
