"""One event to all subscribers of a server: the same operation, or several documents."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from statistics import median

from benchmarks import machine
from benchmarks.contender import Contender, FailedError, Server
from benchmarks.crowd import Crowd
from benchmarks.events import DOCUMENT, events, follow
from benchmarks.poller import Poller
from benchmarks.tables import number, percentile, table
from benchmarks.wire import ServerError

WARM_UP = 100
"""Subscribers that come first, so that memory is measured without what is loaded once."""

TEN_DOCUMENTS = tuple(
    f"subscription {{ getOrder {{ {fields} }} }}"
    for fields in (
        "date",
        "date state",
        "when: date",
        "when: date state",
        "date user { username }",
        "date user { email }",
        "date user { username email }",
        "date state user { username }",
        "date state user { email }",
        "state date user { username email }",
    )
)

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
    failure: str = ""
    """Why nothing was measured."""


def measure(
    contenders: Sequence[Contender],
    subscribers: int,
    *,
    pace: Pace = Pace(),
    documents: Sequence[str] = (DOCUMENT,),
) -> list[Measured]:
    """Measure the servers side by side: all are up, and take turns in each round.

    As many at once as this process may hold the connections of; then the next. One that
    fails is left out, and the others begin anew.
    """
    at_once = max(1, machine.connections() // subscribers)
    results = []
    for start in range(0, len(contenders), at_once):
        together = list(contenders[start : start + at_once])
        while together:
            try:
                results += _measure(together, subscribers, pace, documents)
            except FailedError as error:
                together.remove(error.contender)
                results.append(Measured(error.contender, subscribers, failure=str(error)))
            else:
                break
    return results


def _measure(
    contenders: Sequence[Contender], subscribers: int, pace: Pace, documents: Sequence[str]
) -> list[Measured]:
    with ExitStack() as stack:
        poller = stack.enter_context(closing(Poller()))
        entered = [
            stack.enter_context(followed(poller, contender, subscribers, documents))
            for contender in contenders
        ]
        for _, _, crowd in entered:
            events(crowd, pace.warm_up)
        for _ in range(pace.rounds):
            for measured, server, crowd in entered:
                before = server.cpu_seconds()
                latencies = events(crowd, pace.seconds)
                poller.idle(_SETTLED)
                used = server.cpu_seconds() - before
                measured.cpu.append(used / (len(latencies) * subscribers))
                measured.latencies += latencies
        return [measured for measured, _, _ in entered]


@contextmanager
def followed(
    poller: Poller, contender: Contender, subscribers: int, documents: Sequence[str]
) -> Iterator[tuple[Measured, Server, Crowd]]:
    """Run a server with so many live subscribers, whose memory is measured.

    Raises FailedError when the server closes a connection or sends what it should not.
    """
    with Server(contender) as server, closing(Crowd(poller, server.port, contender.path)) as crowd:
        first = min(WARM_UP, subscribers // 2)
        try:
            follow(crowd, documents, first)
            before = server.resident()
            follow(crowd, documents, subscribers - first)
            grown = server.resident() - before
            yield Measured(contender, subscribers, grown / (subscribers - first)), server, crowd
        except ServerError as error:
            if error.port == server.port:
                raise FailedError(contender, str(error)) from error
            raise


def report(results: Sequence[Measured], title: str) -> str:
    """Return a table; ratios are of the medians over the rounds."""
    failures = "".join(f"{each.failure}\n" for each in results if each.failure)
    results = [measured for measured in results if not measured.failure]
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
    return table(title, head, rows) + failures
