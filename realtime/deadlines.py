"""How long the running code may wait for the database: for an answer, and for a lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic
from typing import NamedTuple


class Limits(NamedTuple):
    """Seconds; infinite where nothing limits the wait."""

    answer: float = inf
    """Until the server has answered one statement."""
    lock: float = inf
    """Until a transaction has a lock that another one holds."""


_limits: ContextVar[Limits] = ContextVar("limits")
_of_the_process = Limits()
"""For code that has no limits of its own, such as Django's views."""
_end = inf
"""When every wait ends, since the process is to end."""


def limits() -> Limits:
    """Return the limits of the running code."""
    return _limits.get(_of_the_process)


def answer_due() -> float:
    """Return when a statement that is sent now must have been answered."""
    return monotonic() + limits().answer


def is_over(due: float) -> bool:
    """Tell whether to stop waiting for what is due at this time."""
    return monotonic() > min(due, _end)


@contextmanager
def limited(to: Limits) -> Iterator[None]:
    """Limit the waits of the code in the block; it does not extend those of a block around it."""
    around = _limits.get(None)
    token = _limits.set(Limits(*map(min, around, to)) if around else to)
    try:
        yield
    finally:
        _limits.reset(token)


@contextmanager
def limited_process(to: Limits) -> Iterator[None]:
    """Limit, while a server runs, also the waits of code that has no limits of its own."""
    global _of_the_process, _end
    _of_the_process = to
    try:
        yield
    finally:
        _of_the_process, _end = Limits(), inf


def end_within(seconds: float) -> None:
    """End every wait of the process at the latest after so many seconds."""
    global _end
    _end = monotonic() + seconds
