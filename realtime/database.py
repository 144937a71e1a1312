"""The way from async code to the ORM: one bounded pool of long-lived threads."""

import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import reset_queries

from realtime.conf import get_settings

P = ParamSpec("P")
R = TypeVar("R")


def in_database(function: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Make a sync function awaitable; it runs on a thread of the database pool.

    The threads live as long as the process, so their connections are reused as
    far as CONN_MAX_AGE allows.
    """

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        reset_queries()  # as Django does for each request: with DEBUG they would pile up
        return function(*args, **kwargs)

    hop: Callable[P, Coroutine[Any, Any, R]] = database_sync_to_async(
        run, thread_sensitive=False, executor=_pool()
    )
    return hop


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(get_settings().database_threads, thread_name_prefix="database")


os.register_at_fork(after_in_child=_pool.cache_clear)
