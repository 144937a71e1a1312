"""Many subscribers of one server, and the events that they get."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from benchmarks.poller import Poller
from benchmarks.trigger import Trigger
from benchmarks.wire import Client, ServerError

AT_ONCE = 100
"""Connections that are opened together: less than any server lets wait."""

_FAULTS = re.compile(rb'"type":\s*"(?:error|complete)"|"errors":\s*\[\s*[{"]')
_SECONDS = 120
"""In which the slowest server must have reached its last client."""

_dates = (datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=second) for second in count())


class Crowd:
    """Subscribers of `getOrder` on one server; each sees each event once, or it raises."""

    def __init__(self, poller: Poller, port: int, path: str) -> None:
        self._poller = poller
        self._port = port
        self._path = path
        self._clients: list[Client] = []
        self._pending: set[int] = set()
        self._marker = b""
        self._live = False
        self._trigger = Trigger(port)
        poller.add(self._trigger)

    def open(self, documents: Sequence[str], subscribers: int) -> None:
        """Connect so many more subscribers, which take the documents in turn."""
        self._live = False
        payloads = [{"query": documents[index % len(documents)]} for index in range(subscribers)]
        self._clients += connect(self._poller, self._port, self._path, payloads, self._receive)

    def settle(self) -> None:
        """Send events until every subscriber has had the same one: all are live.

        Until then one may come twice: first as the value that a subscription begins with.
        """
        for seconds in (2, 5, 15, _SECONDS):
            try:
                self.event(seconds)
            except TimeoutError:
                self._poller.idle(0.5)
            else:
                self._live = True
                return
        raise ServerError(f"{len(self._pending)} of {len(self._clients)} are not live.")

    def event(self, seconds: float = _SECONDS) -> float:
        """Send one event; return the seconds from its commit until the last client had it."""
        date = next(_dates).strftime("%Y-%m-%dT%H:%M:%S")
        self._marker = date.encode()
        self._pending = {client.fileno() for client in self._clients}
        self._trigger.get(f"/fire?date={date}")
        try:
            last = self._poller.gather(self._pending, self._marker, seconds)
        finally:
            committed = int(self._trigger.wait(self._poller))
        return (last - committed) / 1e9

    def close(self) -> None:
        """Cut all connections."""
        self._poller.remove(self._trigger)
        self._trigger.close()
        for client in self._clients:
            self._poller.remove(client)
            client.close()
        self._clients = []

    def _receive(self, client: Client, payload: bytes) -> None:
        if _FAULTS.search(payload):
            raise ServerError(payload.decode(errors="replace"))
        if self._marker and self._marker in payload:
            if self._live and client.fileno() not in self._pending:
                raise ServerError(f"Client {client.index} had an event twice.")
            self._pending.discard(client.fileno())


def connect(
    poller: Poller,
    port: int,
    path: str,
    payloads: Sequence[dict[str, Any]],
    receive: Callable[[Client, bytes], None],
    *,
    at_once: int = AT_ONCE,
) -> list[Client]:
    """Return a client for each `subscribe` payload, subscribed though perhaps not live yet."""
    connected: list[Client] = []
    for start in range(0, len(payloads), at_once):
        batch = []
        for index in range(start, min(start + at_once, len(payloads))):
            client = Client(port, index, receive)
            client.upgrade(path)
            batch.append(client)
        for client in batch:
            client.initialise()
        for client in batch:
            client.subscribe(payloads[client.index])
            poller.add(client)
        connected += batch
        poller.poll()  # the pings of others must not wait for an answer until all are there
    return connected
