"""Publish changes with the transaction that makes them: appended once, rung after commit."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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


class Batch:
    """Changes collected together, that know whether what they tell was undone meanwhile.

    Django forgets the on-commit functions of what is rolled back, of savepoints too:
    so a batch registers itself as one.
    """

    def __init__(self, changes: Iterable[Change], *, using: str) -> None:
        self.changes = list(changes)
        self._using = using
        transaction.on_commit(self, using=using)

    def __call__(self) -> None:
        """Do nothing: the registration is what counts."""

    def is_undone(self) -> bool:
        """Tell whether the transaction, or a savepoint in it, was rolled back since."""
        # From the end, where a batch of now is found at once.
        registered = reversed(connections[self._using].run_on_commit)
        return all(entry[1] is not self for entry in registered)


class _Collections(threading.local):
    """The batches of each database's open `publishing()`, a thread's own as its connections."""

    def __init__(self) -> None:
        self.open: dict[str, list[Batch]] = {}


_collections = _Collections()


@contextmanager
def publishing(*, using: str = DEFAULT_DB_ALIAS, savepoint: bool = True) -> Iterator[None]:
    """Run a block as one transaction whose events are appended once, sorted, at its end.

    Nested blocks append with the outermost. An exception, or the rollback of an
    inner `atomic` block, discards the events of what it undoes; savepoints that are
    made and rolled back by hand do not.
    """
    with transaction.atomic(using=using, savepoint=savepoint):
        if using in _collections.open:
            yield
            return
        batches = _collections.open[using] = []
        earlier = len(connections[using].run_on_commit)
        try:
            yield
            if not transaction.get_rollback(using):
                _append(batches, earlier, using)
        finally:
            del _collections.open[using]


def publish(changes: Iterable[Change], *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Publish changes with the current transaction; ring when it has committed."""
    with publishing(using=using, savepoint=False):
        _collections.open[using].append(Batch(changes, using=using))


def _append(batches: list[Batch], earlier: int, using: str) -> None:
    kept = {entry[1] for entry in connections[using].run_on_commit[earlier:]}
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
