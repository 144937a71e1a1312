"""The command line: `python -m benchmarks fanout --servers ours,limit-uvicorn`."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks import machine
from benchmarks.attacks.catalogue import ATTACKS
from benchmarks.catalogue import CONTENDERS, FOLLOWING, QUERIED, chosen
from benchmarks.workloads import (
    fanout,
    hostile,
    http,
    inboxes,
    limits,
    memory,
    processes,
    profile,
    resuming,
    stalls,
)

Arguments = argparse.Namespace


def _fanout(arguments: Arguments) -> Iterator[str]:
    contenders = chosen(arguments.servers or FOLLOWING)
    pace = fanout.Pace(rounds=arguments.rounds)
    for subscribers in arguments.subscribers or (100, 1_000, 5_000, 10_000):
        results = fanout.measure(contenders, subscribers, pace=pace)
        yield fanout.report(results, f"One event to {subscribers:,} subscribers")


def _documents(arguments: Arguments) -> Iterator[str]:
    contenders = chosen(arguments.servers or FOLLOWING)
    pace = fanout.Pace(rounds=arguments.rounds)
    for subscribers in arguments.subscribers or (1_000,):
        results = fanout.measure(contenders, subscribers, pace=pace, documents=fanout.TEN_DOCUMENTS)
        title = f"One event to {subscribers:,} subscribers of ten different documents"
        yield fanout.report(results, title)


def _inboxes(arguments: Arguments) -> Iterator[str]:
    contenders = chosen(arguments.servers or QUERIED)
    for at_once in inboxes.AT_ONCE:
        results = inboxes.measure(contenders, at_once, rounds=arguments.rounds)
        title = f"Messages to {inboxes.INBOXES:,} inboxes, mutation included, at once: {at_once}"
        yield inboxes.report(results, title)


def _resuming(arguments: Arguments) -> Iterator[str]:
    for clients in arguments.subscribers or (1_000,):
        results = [
            resuming.measure(contender, clients, 100)
            for contender in chosen(arguments.servers or ("ours",))
        ]
        yield resuming.report(results, f"{clients:,} clients come back, each 100 events behind")


def _http(arguments: Arguments) -> Iterator[str]:
    for name, query in http.OPERATIONS.items():
        for connections in http.CONNECTIONS:
            servers = arguments.servers or (*(("limit-uvicorn",) * (name == "{ hello }")), *QUERIED)
            results = http.measure(chosen(servers), query, connections)
            yield http.report(results, f"{name} over HTTP, connections: {connections}")


def _processes(arguments: Arguments) -> Iterator[str]:
    [ours] = chosen(("ours",))
    for subscribers in arguments.subscribers or (1_000,):
        results = [processes.measure(ours, number, subscribers, 200) for number in (1, 2, 3)]
        title = f"Events to {subscribers:,} subscribers over PostgreSQL and Redis"
        yield processes.report(results, title)


def _memory(arguments: Arguments) -> Iterator[str]:
    for connections in arguments.subscribers or (10_000,):
        results = memory.measure(chosen(arguments.servers or FOLLOWING), connections)
        yield memory.report(results, f"{connections:,} connections that idle")


def _stalls(arguments: Arguments) -> Iterator[str]:
    contenders = chosen(arguments.servers or stalls.SERVERS)
    for connections in arguments.subscribers or (10_000,):
        results = [stalls.measure(each, connections, arguments.rounds) for each in contenders]
        yield stalls.report(results, f"The longest stall, connections: {connections:,}")


def _profile(arguments: Arguments) -> Iterator[str]:
    [ours] = chosen(("ours",))
    yield profile.profile(ours)


def _limits(arguments: Arguments) -> Iterator[str]:
    [ours] = chosen(("ours",))
    for kind, figures in limits.measure(ours).items():
        yield limits.report(figures, limits.TITLES[kind])


def _hostile(arguments: Arguments) -> Iterator[str]:
    [ours] = chosen(("ours-production",))
    names = arguments.attacks or ATTACKS
    yield hostile.report([hostile.measure(ours, name) for name in names])


WORKLOADS: dict[str, Callable[[Arguments], Iterator[str]]] = {
    "fanout": _fanout,
    "inboxes": _inboxes,
    "documents": _documents,
    "resuming": _resuming,
    "http": _http,
    "processes": _processes,
    "memory": _memory,
    "stalls": _stalls,
    "profile": _profile,
    "limits": _limits,
    "hostile": _hostile,
}


def main() -> None:
    """Run workloads, and print each table when it is there."""
    arguments = _arguments()
    # As Ctrl-C does: by way of the clean-up, which ends the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    machine.allow_connections()
    _, core = machine.cores()
    machine.pin({core})
    for name in arguments.workloads or WORKLOADS:
        for text in WORKLOADS[name](arguments):
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


def _arguments() -> Arguments:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="workload", help=", ".join(WORKLOADS))
    parser.add_argument("--servers", type=_names, help=", ".join(CONTENDERS))
    parser.add_argument("--subscribers", type=_counts, help="100,1000")
    parser.add_argument("--attacks", type=lambda text: text.split(","), help=", ".join(ATTACKS))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if unknown := set(arguments.workloads) - set(WORKLOADS):
        parser.error(f"no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    if unknown := set(arguments.attacks or ()) - set(ATTACKS):
        parser.error(f"no attack {', '.join(unknown)}; there are {', '.join(ATTACKS)}")
    return arguments


def _names(text: str) -> Sequence[str]:
    names = text.split(",")
    if unknown := set(names) - set(CONTENDERS):
        raise argparse.ArgumentTypeError(f"no {unknown}; there are {', '.join(CONTENDERS)}")
    return names


def _counts(text: str) -> Sequence[int]:
    return [int(count) for count in text.split(",")]


if __name__ == "__main__":
    main()
