"""What each subscriber received, and how it differs from the log."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

UNDONE = "!"
"""How the mark of a change begins that its writer rolls back."""

History = Mapping[str, Sequence[str]]
"""Of each topic, the marks of its events in the order of their offsets."""


@dataclass(slots=True, kw_only=True)
class Record:
    """The marks that one subscriber of one topic received, in the order of their arrival."""

    topic: str
    received: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a set of subscribers received, against the log."""

    expected: int = 0
    deliveries: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    undone: int = 0

    @property
    def is_perfect(self) -> bool:
        """Tell whether each received what happened: each event, once, in order, nothing else."""
        return self.deliveries == self.expected and not (
            self.lost or self.doubled or self.reordered or self.undone
        )

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(
            expected=self.expected + other.expected,
            deliveries=self.deliveries + other.deliveries,
            lost=self.lost + other.lost,
            doubled=self.doubled + other.doubled,
            reordered=self.reordered + other.reordered,
            undone=self.undone + other.undone,
        )


def judge(records: Iterable[Record], history: History) -> Verdict:
    """Compare what was received with the log.

    Undone is what the log does not hold, or what its writer meant to roll back.
    """
    return sum((_judge(record, history[record.topic]) for record in records), Verdict())


def _judge(record: Record, log: Sequence[str]) -> Verdict:
    places = {mark: place for place, mark in enumerate(log)}
    times = Counter(record.received)
    known = [places[mark] for mark in times if mark in places]  # first arrivals, in their order
    return Verdict(
        expected=len(log),
        deliveries=len(record.received),
        lost=len(places) - len(known),
        doubled=sum(times.values()) - len(times),
        reordered=sum(before > after for before, after in itertools.pairwise(known)),
        undone=sum(mark not in places or mark.startswith(UNDONE) for mark in times),
    )


def table(verdicts: Mapping[str, Verdict], figures: Mapping[str, object]) -> str:
    """Return the verdicts as a small table, and the figures of the run below it."""
    columns = ("expected", "deliveries", "lost", "doubled", "reordered", "undone")
    rows = [("", *columns[:-1], "rolled back seen")]
    for name, verdict in verdicts.items():
        rows.append((name, *(f"{getattr(verdict, column):,}" for column in columns)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]  # type: ignore[arg-type]
        )
        for row in rows
    ]
    lines += [f"{name}: {value}" for name, value in figures.items()]
    return "\n".join(lines)
