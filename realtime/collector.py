"""Python's garbage collector, kept from looking at all connections at once."""

import asyncio
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, thread_time

THRESHOLDS = (700, 5, 2)
"""Objects made until the youngest are looked at, and how often until older ones are, too: a full
collection comes after some twelve thousand, which take it 3 to 10 ms."""

LONG = 0.01
"""Seconds of CPU from which on a collection sets aside all that there is."""

EVERYTHING = 3600.0
"""Seconds after which a full collection looks at what was set aside, too."""


@contextmanager
def short_pauses() -> Iterator[None]:
    """Have collections set aside what there is when it gets much, so that none takes long.

    Full ones stop the process for 0.7 µs an object, and a connection with a subscription has two
    hundred: more than a second for 10,000. Those of the youngest take long where old objects
    go as fast as new ones come, which Python counts against each other. What was set aside
    is freed, as ever, when nothing refers to it, which is how connections end; only circles
    that are garbage, or become it, wait until everything is looked at, which does take that long.
    """
    loop = asyncio.get_running_loop()
    thresholds = gc.get_threshold()
    everything_at = monotonic() + EVERYTHING
    begun = 0.0

    def judge(phase: str, info: Mapping[str, int]) -> None:
        nonlocal begun, everything_at
        if phase == "start":
            begun = thread_time()  # others may run meanwhile
        elif info["generation"] == 2 and monotonic() > everything_at:
            everything_at = monotonic() + EVERYTHING
            gc.unfreeze()  # for the next
        elif thread_time() - begun > LONG:
            gc.freeze()
            # The next is put off until there is a quarter more than a collection last left.
            loop.call_soon_threadsafe(gc.collect)

    gc.collect()
    gc.freeze()
    gc.collect()
    gc.set_threshold(*THRESHOLDS)
    gc.callbacks.append(judge)
    try:
        yield
    finally:
        gc.callbacks.remove(judge)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
