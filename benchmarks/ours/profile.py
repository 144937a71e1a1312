"""Where the time of `createMessage` goes, by library: the application in this process, profiled.

Without a server and without subscribers, one request after the other. The profiler makes
Python's calls dearer than the database's work: the shares say where to look, not how fast.
"""

import asyncio
import json
import pstats
import sys
from collections import defaultdict
from collections.abc import Iterable
from cProfile import Profile
from pathlib import PurePath
from time import perf_counter, thread_time
from typing import Any

from benchmarks.in_process import post
from benchmarks.ours import seed  # noqa: F401  (fills the database)
from benchmarks.tables import number, table
from benchmarks.workloads.http import OPERATIONS
from django_project.asgi import application
from realtime import database

REQUESTS = 1_000

_BODY = json.dumps({"query": OPERATIONS["createMessage"]}).encode()


async def _request() -> None:
    answer = await post(application, _BODY)
    if b'"success":true' not in answer:
        raise RuntimeError(answer.decode())


async def _requests() -> float:
    begin = perf_counter()
    for _ in range(REQUESTS):
        await _request()
    return perf_counter() - begin


def _library(file: str) -> str:
    if file == "~":
        return "built-in functions"
    parts = PurePath(file).parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    if "lib" in parts or file.startswith("<"):
        return "standard library"
    return "Clew: " + ("realtime" if "realtime" in parts else "messaging, accounts, the project")


def _shares(profiles: Iterable[Profile]) -> dict[str, float]:
    """Return the seconds of each library; what is built in is its caller's."""
    shares: dict[str, float] = defaultdict(float)
    for profile in profiles:
        stats: dict[Any, Any] = vars(pstats.Stats(profile))["stats"]
        for (file, _, function), (_, _, own, _, callers) in stats.items():
            if "sqlite3" in function:
                shares["SQLite"] += own
            elif file == "~":
                for (caller, _, _), (_, _, seconds, _) in callers.items():
                    shares[_library(caller)] += seconds
            else:
                shares[_library(file)] += own
    return shares


async def _main() -> None:
    await _requests()
    seconds = await _requests()
    profiles = Profile(thread_time), Profile(thread_time)  # of CPU: what waits costs nothing
    run = database._run

    def profiled(*args: Any, **kwargs: Any) -> Any:
        profiles[1].enable()
        try:
            return run(*args, **kwargs)
        finally:
            profiles[1].disable()

    database._run = profiled
    database._hop.cache_clear()
    profiles[0].enable()
    await _requests()
    profiles[0].disable()
    shares = _shares(profiles)
    total = sum(shares.values())
    rows = [
        [library, number(own / REQUESTS * 1e6), f"{own / total:.0%}"]
        for library, own in sorted(shares.items(), key=lambda item: -item[1])
        if own / total >= 0.005
    ]
    title = f"createMessage, {REQUESTS / seconds:,.0f} a second without the profiler; with it:"
    sys.stdout.write(table(title, ("library", "µs each", "share"), rows) + "\n")


if __name__ == "__main__":
    asyncio.run(_main())
