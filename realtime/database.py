"""The way from async code to the ORM: bounded pools of long-lived threads.

Mutations have threads of their own, since they may wait for locks; so have the hub and the
permissions, which must not wait for anything that an application does, and what hashes passwords.
"""

import asyncio
import contextvars
import os
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from enum import Enum
from functools import cache
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeGuard, TypeVar

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError, reset_queries

from realtime import deadlines
from realtime.conf import get_settings
from realtime.deadlines import Limits

P = ParamSpec("P")
R = TypeVar("R")


class Threads(Enum):
    """A pool of threads, by whose calls it runs."""

    QUERIES = "queries"
    """Those of queries, of subscriptions that begin or resume, and of all that names no other."""
    MUTATIONS = "mutations"
    HUB = "hub"
    """What the log holds, and what live fields show of it: a few calls at a time."""
    PERMISSIONS = "permissions"
    HASHING = "hashing"
    """What hashes a password: see `realtime.hashing`."""

    @property
    def number(self) -> int:
        """How many threads there are at most; each may hold one connection."""
        settings = get_settings()
        match self:
            case Threads.QUERIES:
                return settings.database_threads
            case Threads.MUTATIONS:
                return settings.mutation_threads
            case Threads.HASHING:
                return settings.hashing_threads
            case _:
                return ENGINE_THREADS

    @property
    def is_engine(self) -> bool:
        """Whether the engine calls for all its clients, rather than for one of them."""
        return self in (Threads.HUB, Threads.PERMISSIONS)

    @property
    def limits(self) -> Limits:
        """How long its calls wait for the database."""
        settings = get_settings()
        answer = settings.engine_timeout if self.is_engine else settings.statement_timeout
        return Limits(answer, settings.lock_timeout)


ENGINE_THREADS = 2
"""Of the hub, and of the permissions: one call that takes long delays no other."""

PATIENCE = 3.0
"""Times ENGINE_TIMEOUT for which a call of the engine is awaited: it may have to wait for a
thread and a connection, and drivers that know no limits would never return."""

_threads: contextvars.ContextVar[Threads] = contextvars.ContextVar(
    "threads", default=Threads.QUERIES
)


@contextmanager
def on(threads: Threads) -> Iterator[None]:
    """Have the calls in the block, and in tasks that are made there, run on these threads."""
    token = _threads.set(threads)
    try:
        yield
    finally:
        _threads.reset(token)


def fresh_context(threads: Threads) -> contextvars.Context:
    """Return an empty context in which calls run on these threads.

    For tasks that outlive the connection that happens to start them.
    """
    context = contextvars.Context()
    context.run(_threads.set, threads)
    return context


def in_database(function: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Make a sync function awaitable; it runs on a thread of a database pool.

    The threads live as long as the process, so their connections are reused as
    far as CONN_MAX_AGE allows.
    """

    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        threads = _threads.get()
        hop = _hop(threads)
        if not threads.is_engine:
            result: R = await hop(threads.limits, function, *args, **kwargs)
            return result
        try:
            async with asyncio.timeout(PATIENCE * threads.limits.answer) as patience:
                return await hop(threads.limits, function, *args, **kwargs)  # type: ignore[no-any-return]
        except TimeoutError:
            if not patience.expired():
                raise
            raise OperationalError("The database has not answered in time.") from None

    return call


@cache
def _hop(threads: Threads) -> Callable[..., Coroutine[Any, Any, Any]]:
    pool = ThreadPoolExecutor(threads.number, thread_name_prefix=f"database-{threads.value}")
    hop: Callable[..., Coroutine[Any, Any, Any]] = database_sync_to_async(
        _run, thread_sensitive=False, executor=pool
    )
    return hop


def is_outage(error: BaseException | None) -> TypeGuard[OperationalError | InterfaceError]:
    """Tell whether an error is of the database itself, which may be away."""
    return isinstance(error, OperationalError | InterfaceError)


def is_conflict(error: BaseException | None) -> bool:
    """Tell whether other transactions were in the way of one, which was rolled back."""
    if not isinstance(error, OperationalError):
        return False
    cause = error.__cause__
    return (
        getattr(cause, "sqlstate", None) in CONFLICTS
        or getattr(cause, "sqlite_errorcode", 0) & 0xFF in SQLITE_CONFLICTS
    )


CONFLICTS = frozenset({"55P03", "40P01", "40001"})
"""Of PostgreSQL: a lock that was not available in time, a deadlock, serialization."""

SQLITE_CONFLICTS = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def is_unreachable(error: BaseException | None) -> bool:
    """Tell whether an error says that the database has given no answer, or none in time."""
    if not is_outage(error) or is_conflict(error):
        return False
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return False
    # The driver knows no code where there was no answer; 08: the connection failed, 53: there
    # are too many, 57: the server ends, or a statement was cancelled since it took too long.
    return (getattr(cause, "sqlstate", None) or "")[:2] in {"", "08", "53", "57"}


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function of an app: an async one here, a sync one on a database thread."""
    if iscoroutinefunction(function):
        return await function(*args, **kwargs)
    return await in_database(function)(*args, **kwargs)


def _run(limits: Limits, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    reset_queries()  # as Django does for each request: with DEBUG they would pile up
    with deadlines.limited(limits):
        return function(*args, **kwargs)


os.register_at_fork(after_in_child=_hop.cache_clear)
