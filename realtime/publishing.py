"""Publish changes with the transaction that makes them: appended once, rung after commit."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from random import uniform
from time import sleep
from typing import ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction

from realtime import doorbell, log
from realtime.log import Change

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 5
"""Runs of a service before a deadlock or serialization failure is given to the caller."""

RETRIABLE = {"40001", "40P01"}
"""SQLSTATE of serialization_failure and deadlock_detected."""


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Changes collected together, registered on commit so that a rollback is noticed.

    Django forgets the on-commit functions of a savepoint that is rolled back;
    a batch that it has forgotten must not be appended.
    """

    changes: tuple[Change, ...]

    def __call__(self) -> None:
        pass


class _Collections(threading.local):
    """The batches of each database's open `publishing()`, a thread's own as its connections."""

    def __init__(self) -> None:
        self.open: dict[str, list[_Batch]] = {}


_collections = _Collections()


@contextmanager
def publishing(*, using: str = DEFAULT_DB_ALIAS, savepoint: bool = True) -> Iterator[None]:
    """Run a block as one transaction whose events are appended once, sorted, at its end.

    Nested blocks append with the outermost. An exception, or the rollback of an
    inner block, discards the events of what it undoes.
    """
    with transaction.atomic(using=using, savepoint=savepoint):
        if using in _collections.open:
            yield
            return
        batches = _collections.open[using] = []
        try:
            yield
            _append(batches, using)
        finally:
            del _collections.open[using]


def publish(changes: Iterable[Change], *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Publish changes with the current transaction; ring when it has committed."""
    with publishing(using=using, savepoint=False):
        batch = _Batch(tuple(changes))
        _collections.open[using].append(batch)
        transaction.on_commit(batch, using=using)


def _append(batches: list[_Batch], using: str) -> None:
    kept = {entry[1] for entry in connections[using].run_on_commit}
    changes = [change for batch in batches if batch in kept for change in batch.changes]
    if changes:
        heads = log.append(changes, using=using)
        # No partial: Django reports a failing robust function by its __qualname__.
        transaction.on_commit(lambda: doorbell.ring(heads), using=using, robust=True)


def transactional(service: Callable[P, R]) -> Callable[P, R]:
    """Run a service in `publishing()`, again as a whole after a deadlock or the like.

    Within a transaction of the caller it runs once: only the outermost can be retried.
    """

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(ATTEMPTS):
            try:
                with publishing():
                    return service(*args, **kwargs)
            except OperationalError as error:
                last = attempt == ATTEMPTS - 1
                if last or transaction.get_connection().in_atomic_block or not _retriable(error):
                    raise
            sleep(uniform(0, 0.01 * 2**attempt))  # noqa: S311  (not a secret)
        raise AssertionError("unreachable")

    return run


def _retriable(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) in RETRIABLE
