"""Passwords are hashed a few at a time, on threads for nothing else.

A hash takes tens of milliseconds of a processor, and much memory: on the threads of mutations
and queries a crowd that logs in would keep all others waiting.
"""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, ParamSpec, TypeVar

from realtime.conf import get_settings
from realtime.database import Threads, in_database, on
from realtime.exceptions import RateLimitedError
from realtime.queues import Turns
from realtime.rates import Rate, network_of

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE = 5.0
"""Seconds that a hash may have to wait for its turn."""

_rate = Rate()


async def hashed(
    scope: Mapping[str, Any], function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Call a sync function that hashes a password for the client of an ASGI scope.

    It may use the database; what waits for locks is better done afterwards. Raises
    RateLimitedError and BusyError.
    """
    async with turn(scope):
        with on(Threads.HASHING):
            return await in_database(function)(*args, **kwargs)


@asynccontextmanager
async def turn(scope: Mapping[str, Any]) -> AsyncIterator[None]:
    """Have a turn to hash for the client of an ASGI scope.

    Raises RateLimitedError and BusyError.
    """
    _count(scope)
    async with _turns().turn():
        yield


def _count(scope: Mapping[str, Any]) -> None:
    """Count one of the client's address, whoever is logged in: accounts are made by hashing."""
    settings = get_settings()
    address = network_of((scope.get("client") or ("",))[0])
    if not (rate := settings.hashing_rate) or address is None:
        return  # unknown: many clients
    early = _rate.spend(address, per_second=rate, burst=settings.hashing_burst)
    if early:
        raise RateLimitedError(rate, early)


@cache
def _turns() -> Turns:
    return Turns(
        get_settings().hashing_threads, waiting=get_settings().hashing_queue, patience=PATIENCE
    )


os.register_at_fork(after_in_child=_turns.cache_clear)
