"""Connections that idle, each with one live subscription."""

from collections.abc import Sequence
from contextlib import closing

from benchmarks.contender import Contender, FailedError
from benchmarks.events import DOCUMENT
from benchmarks.poller import Poller
from benchmarks.tables import number, table
from benchmarks.workloads.fanout import Measured, followed

_IDLE = 3.0
"""Seconds in which nothing happens before memory is read again."""


def measure(contenders: Sequence[Contender], connections: int) -> list[Measured]:
    """Measure one server after the other."""
    results = []
    for contender in contenders:
        try:
            results.append(_measure(contender, connections))
        except FailedError as error:
            results.append(Measured(contender, connections, failure=str(error)))
    return results


def _measure(contender: Contender, connections: int) -> Measured:
    with (
        closing(Poller()) as poller,
        followed(poller, contender, connections, [DOCUMENT]) as (measured, server, _),
    ):
        before = server.cpu_seconds()
        poller.idle(_IDLE)
        measured.cpu.append((server.cpu_seconds() - before) / _IDLE)
        return measured


def report(results: Sequence[Measured], title: str) -> str:
    """Return a table."""
    failures = "".join(f"{each.failure}\n" for each in results if each.failure)
    results = [measured for measured in results if not measured.failure]
    each = {measured.contender.name: measured.bytes_each for measured in results}
    ours = each.get("ours")
    rows = []
    for measured in results:
        own, limit = each[measured.contender.name], each.get(measured.contender.limit)
        cells = [number(own / 1024), number(limit and own / limit), number(ours and own / ours)]
        rows.append([measured.contender.name, *cells, f"{measured.cpu[0]:.1%}"])
    head = ("server", "KiB per connection", "× its limit", "× ours", "CPU while idle")
    return table(title, head, rows) + failures
