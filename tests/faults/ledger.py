"""What each subscriber received, and how it differs from the log."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from itertools import pairwise

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
        reordered=sum(before > after for before, after in pairwise(known)),
        undone=sum(mark not in places or mark.startswith(UNDONE) for mark in times),
    )


def _table(verdicts: Mapping[str, Verdict], figures: Mapping[str, object]) -> str:
    """Return the verdicts as a small table, and the figures of the run below it."""
    heads = ("expected", "deliveries", "lost", "doubled", "reordered", "rolled back seen")
    rows: list[tuple[str, tuple[str, ...]]] = [("", heads)]
    rows += [(name, tuple(f"{n:,}" for n in astuple(each))) for name, each in verdicts.items()]
    indent = max(map(len, verdicts))
    lines = [
        name.ljust(indent)
        + "".join(
            cell.rjust(max(12, len(head) + 2)) for cell, head in zip(cells, heads, strict=True)
        )
        for name, cells in rows
    ]
    return "\n".join([*lines, *(f"{name}: {value}" for name, value in figures.items())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a run."""

    live: Verdict
    control: Verdict | None
    faults: Counter[str]
    written: Counter[str]
    met: Counter[str]
    refused: int
    seconds: float
    catching_up: float
    seed: int
    logs: dict[str, str]

    def __str__(self) -> str:
        verdicts = {"live fields": self.live}
        if self.control is not None:
            verdicts["plain broadcasts"] = self.control
        figures = {
            "transactions": _counts(self.written),
            "faults": _counts(self.faults),
            "clients met": _counts(self.met),
            "cursors refused": self.refused,
            "seconds": f"{self.seconds:.0f}; {self.catching_up:.1f} to catch up at the end",
            "seed": self.seed,
        }
        return _table(verdicts, figures)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in sorted(counter.items()))
