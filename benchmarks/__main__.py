"""The command line: `python -m benchmarks fanout --servers ours,limit-uvicorn`."""

import argparse
import sys

from benchmarks import machine
from benchmarks.catalogue import CONTENDERS, chosen
from benchmarks.workloads import fanout


def main() -> None:
    """Run one workload and print its table."""
    arguments = _arguments()
    contenders = chosen(arguments.servers)
    machine.allow_connections()
    _, core = machine.cores()
    machine.pin(core)
    for subscribers in arguments.subscribers:
        pace = fanout.Pace(rounds=arguments.rounds)
        results = fanout.measure(contenders, subscribers, pace=pace)
        sys.stdout.write(fanout.report(results, f"One event to {subscribers:,} subscribers"))
        sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workload", choices=["fanout"])
    parser.add_argument("--servers", type=_names, default=list(CONTENDERS))
    parser.add_argument("--subscribers", type=_counts, default=[1_000])
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(CONTENDERS):
        raise argparse.ArgumentTypeError(f"no {unknown}; there are {', '.join(CONTENDERS)}")
    return names


def _counts(text: str) -> list[int]:
    return [int(count) for count in text.split(",")]


if __name__ == "__main__":
    main()
