"""The way from async code to the ORM: one bounded pool of long-lived threads."""

import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError, reset_queries

from realtime.conf import get_settings

P = ParamSpec("P")
R = TypeVar("R")


def in_database(function: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Make a sync function awaitable; it runs on a thread of the database pool.

    The threads live as long as the process, so their connections are reused as
    far as CONN_MAX_AGE allows.
    """

    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        result: R = await _hop()(function, *args, **kwargs)
        return result

    return call


@cache
def _hop() -> Callable[..., Coroutine[Any, Any, Any]]:
    threads = get_settings().database_threads
    pool = ThreadPoolExecutor(threads, thread_name_prefix="database")
    hop: Callable[..., Coroutine[Any, Any, Any]] = database_sync_to_async(
        _run, thread_sensitive=False, executor=pool
    )
    return hop


def is_outage(error: BaseException | None) -> bool:
    """Tell whether an error is of the database itself, which may be away."""
    return isinstance(error, OperationalError | InterfaceError)


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function of an app: an async one here, a sync one on a database thread."""
    if iscoroutinefunction(function):
        return await function(*args, **kwargs)
    return await in_database(function)(*args, **kwargs)


def _run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    reset_queries()  # as Django does for each request: with DEBUG they would pile up
    return function(*args, **kwargs)


os.register_at_fork(after_in_child=_hop.cache_clear)
