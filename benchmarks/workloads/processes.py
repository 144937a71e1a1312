"""Several processes of Clew on PostgreSQL and Redis, and events as fast as they commit."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from time import monotonic

from benchmarks.contender import Contender, Server
from benchmarks.crowd import check, connect, disconnect
from benchmarks.environments import SetUpError
from benchmarks.events import DOCUMENT, fire
from benchmarks.poller import Poller
from benchmarks.tables import number, table
from benchmarks.trigger import Trigger
from benchmarks.wire import Client
from tests.harness.services import Postgres, Redis, postgres_binaries, redis_binary

_PATIENCE = 120
_WARM_UP = 10
"""Events before the measured ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What so many processes did together."""

    processes: int
    subscribers: int
    events: int
    seconds: float
    """From the first event's request until the last client had the last event."""
    cpu: float
    """Seconds of CPU of all processes of Clew."""


class _Counter:
    """Counts all that the subscribers get."""

    def __init__(self) -> None:
        self.deliveries = 0

    def receive(self, _: Client, payload: bytes) -> None:
        check(payload)
        self.deliveries += 1

    def wait(self, poller: Poller, deliveries: int) -> None:
        """Wait until there were so many; raise TimeoutError."""
        end = monotonic() + _PATIENCE
        while self.deliveries < deliveries:
            poller.poll(1)
            if monotonic() > end:
                raise TimeoutError


def measure(contender: Contender, processes: int, subscribers: int, events: int) -> Measured:
    """Spread the subscribers over the processes, and write in the first one."""
    with ExitStack() as stack:
        environment = stack.enter_context(_services())
        servers = [
            stack.enter_context(Server(contender, environment, seeded=number > 0, pinned=False))
            for number in range(processes)
        ]
        poller = stack.enter_context(closing(Poller()))
        trigger = stack.enter_context(closing(Trigger(poller, servers[0].port)))
        counter = _Counter()
        for number_of_server, server in enumerate(servers):
            share = len(range(number_of_server, subscribers, processes))
            payloads = [{"query": DOCUMENT, "extensions": {"confirm": True}}] * share
            clients = connect(poller, server.port, contender.path, payloads, counter.receive)
            stack.callback(disconnect, poller, clients)
        # The confirmation and the value that each begins with.
        counter.wait(poller, 2 * subscribers)
        _send(poller, trigger, counter, subscribers, _WARM_UP)
        before, begin = sum(server.cpu_seconds() for server in servers), monotonic()
        _send(poller, trigger, counter, subscribers, events)
        return Measured(
            processes=processes,
            subscribers=subscribers,
            events=events,
            seconds=monotonic() - begin,
            cpu=sum(server.cpu_seconds() for server in servers) - before,
        )


def _send(
    poller: Poller, trigger: Trigger, counter: _Counter, subscribers: int, events: int
) -> None:
    expected = counter.deliveries + events * subscribers
    for _ in range(events):
        message, _ = fire()
        trigger.send(message)
        trigger.wait(_PATIENCE)
    counter.wait(poller, expected)


@contextmanager
def _services() -> Iterator[Mapping[str, str]]:
    binaries, redis = postgres_binaries(), redis_binary()
    if binaries is None or redis is None:
        raise SetUpError("PostgreSQL or Redis was not found on this machine")
    with Postgres(binaries) as postgres, Redis(redis) as layer:
        yield {"DATABASE_URL": postgres.url, "REDIS_URL": layer.url}


def report(results: list[Measured], title: str) -> str:
    """Return a table."""
    rows = []
    for measured in results:
        deliveries = measured.events * measured.subscribers
        rows.append(
            [
                str(measured.processes),
                number(deliveries / measured.seconds),
                number(measured.cpu / deliveries * 1e6),
                f"{measured.cpu / measured.seconds:.0%}",
            ]
        )
    head = ("processes", "deliveries per second", "CPU µs per delivery", "CPU of all processes")
    return table(title, head, rows)
