"""The event that all servers know: the first order has another date."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from itertools import count
from time import monotonic

from benchmarks.crowd import PATIENCE, Crowd
from benchmarks.trigger import request

DOCUMENT = "subscription { getOrder { state date user { username email } } }"

_dates = (date(2030, 1, 1) + timedelta(days=day) for day in count())


def fire() -> tuple[bytes, bytes]:
    """Return the request of an event, and the marker by which it is known."""
    day = next(_dates).isoformat()
    return request("GET", f"/fire?date={day}"), day.encode()


def event(crowd: Crowd, seconds: float = PATIENCE) -> float:
    """Send one event to all; return the seconds from its commit until the last had it."""
    message, marker = fire()
    last, committed = crowd.deliver(message, marker, crowd.clients, seconds)
    return (last - int(committed)) / 1e9


def events(crowd: Crowd, seconds: float) -> list[float]:
    """Send events one after the other, each when the last client has the one before.

    Return the seconds that each took. There is at least one.
    """
    end = monotonic() + seconds
    latencies = [event(crowd)]
    while monotonic() < end:
        latencies.append(event(crowd))
    return latencies


def follow(crowd: Crowd, documents: Sequence[str], subscribers: int) -> None:
    """Have so many more subscribers follow the orders, taking the documents in turn."""
    crowd.open([{"query": documents[index % len(documents)]} for index in range(subscribers)])
    crowd.settle(partial(event, crowd))
