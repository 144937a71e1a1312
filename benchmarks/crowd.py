"""Many subscribers of one server, and what they get."""

import re
from collections.abc import Callable, Collection, Sequence
from time import monotonic
from typing import Any

from benchmarks.poller import Poller
from benchmarks.trigger import Trigger
from benchmarks.wire import Client, ServerError

Payload = dict[str, Any]
"""What a `subscribe` message carries."""

AT_ONCE = 100
"""Connections that are opened together: less than any server lets wait."""

PATIENCE = 300.0
"""Seconds in which the slowest server must have reached its last client."""

_ATTEMPTS = 10
_SILENCE = 1.5
"""Seconds without a result after which a server has sent all that it will."""

_FAULTS = re.compile(rb'"type":\s*"(?:error|complete)"|"errors":\s*\[\s*[{"]')


class Crowd:
    """Subscribers of one server, and HTTP connections to it. Owned by who closes it.

    What is delivered holds a marker, by which it is known: a client that gets it twice, or
    that should not get it at all, ends the run with ServerError.
    """

    def __init__(self, poller: Poller, port: int, path: str) -> None:
        self.poller = poller
        self.clients: list[Client] = []
        self._port = port
        self.path = path
        self._pending: set[int] = set()
        self._marker = b""
        self._live = False
        self._received = 0
        self._triggers: list[Trigger] = []

    def open(self, payloads: Sequence[Payload], *, at_once: int = AT_ONCE) -> None:
        """Connect one more subscriber for each payload; they are not live yet, perhaps."""
        self._live = False
        self.clients += connect(
            self.poller, self._port, self.path, payloads, self._receive, at_once=at_once
        )

    def settle(self, send: Callable[[float], object]) -> None:
        """Send something to all until they all have it: then all are live.

        `send` takes a number of seconds, after which it raises TimeoutError. Until all are
        live a client may get it twice: first as the value that a subscription begins with.
        """
        for _ in range(_ATTEMPTS):
            try:
                send(2.0)
            except TimeoutError:
                self._drain()
            if not self._pending:
                # What some have had only as that value still comes to them as an event.
                self._live, self._marker = True, b""
                return
        error = ServerError(f"{len(self._pending)} of {len(self.clients)} are not live.")
        error.port = self._port
        raise error

    def _drain(self) -> None:
        """Wait until nothing comes any more, or all have what was sent."""
        end = monotonic() + PATIENCE
        while self._pending and monotonic() < end:
            before = self._received
            self.poller.idle(_SILENCE)
            if self._received == before:
                return

    def deliver(
        self, request: bytes, marker: bytes, to: Collection[Client], seconds: float = PATIENCE
    ) -> tuple[int, bytes]:
        """Send an HTTP request, and wait until these clients have the marker.

        Return when the last had it, in monotonic nanoseconds, and the body of the answer.
        Raises TimeoutError.
        """
        last, [body] = self.deliver_all([request], marker, to, seconds)
        return last, body

    def deliver_all(
        self,
        requests: Sequence[bytes],
        marker: bytes,
        to: Collection[Client],
        seconds: float = PATIENCE,
    ) -> tuple[int, list[bytes]]:
        """Do the same with several requests at once, each on a connection of its own."""
        while len(self._triggers) < len(requests):
            self._triggers.append(Trigger(self.poller, self._port))
        triggers = self._triggers[: len(requests)]
        self._marker = marker
        self._pending = {client.fileno() for client in to}
        for trigger, request in zip(triggers, requests, strict=True):
            trigger.send(request)
        try:
            last = self.poller.gather(self._pending, marker, seconds)
        finally:
            bodies = [trigger.wait() for trigger in triggers]
        return last, bodies

    def close(self) -> None:
        """Cut all connections."""
        for trigger in self._triggers:
            trigger.close()
        disconnect(self.poller, self.clients)
        self.clients = []

    def _receive(self, client: Client, payload: bytes) -> None:
        check(payload)
        self._received += 1
        if self._marker and self._marker in payload:
            if self._live and client.fileno() not in self._pending:
                raise ServerError(f"Client {client.index} had it twice: {payload!r}")
            self._pending.discard(client.fileno())


def check(payload: bytes) -> None:
    """Raise ServerError when a message tells of an error or of an end."""
    if _FAULTS.search(payload):
        raise ServerError(payload.decode(errors="replace"))


def connect(
    poller: Poller,
    port: int,
    path: str,
    payloads: Sequence[Payload],
    receive: Callable[[Client, bytes], None],
    *,
    at_once: int = AT_ONCE,
) -> list[Client]:
    """Return a client for each payload, subscribed though perhaps not live yet."""
    connected: list[Client] = []
    for start in range(0, len(payloads), at_once):
        batch = []
        for index in range(start, min(start + at_once, len(payloads))):
            client = Client(port, index, receive)
            client.upgrade(path)
            batch.append(client)
        try:
            for client in batch:
                client.initialise()
            for client in batch:
                client.subscribe(payloads[client.index])
                poller.add(client)
        except ServerError as error:
            error.port = port
            raise
        connected += batch
        poller.poll()  # the pings of others must not wait for an answer until all are there
    return connected


def disconnect(poller: Poller, clients: Collection[Client]) -> None:
    """Cut the connections of these clients."""
    for client in clients:
        poller.remove(client)
        client.close()
