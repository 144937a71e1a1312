"""The longest time in which a server's event loop serves nobody, while a crowd keeps it busy."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from benchmarks.contender import Contender, Server
from benchmarks.crowd import PATIENCE, Crowd
from benchmarks.events import DOCUMENT, event
from benchmarks.poller import Poller
from benchmarks.tables import number, table
from benchmarks.trigger import Trigger, request

SERVERS = ("limit-uvicorn", "ours")
"""Those that tell of their stalls; what they do on one core is theirs alone."""

_BROADCAST = "subscription { realTimeMessages }"
_AT_ONCE = 2_000
"""Connections that come together."""
_SETTLED = 1.0
"""Seconds until what goes on after the last client was served is over, too."""

_texts = (f"announcement-{number}-" for number in count(1))


@dataclass(slots=True)
class Measured:
    """The longest stalls of one server, in seconds, by what was going on."""

    contender: Contender
    longest: dict[str, float] = field(default_factory=dict)

    def milliseconds(self, what: str) -> float | None:
        """Return the longest stall during something, if that was done."""
        return self.longest[what] * 1e3 if what in self.longest else None


class _Observed:
    """A server whose stalls are asked for."""

    def __init__(self, server: Server, poller: Poller, measured: Measured) -> None:
        self._poller = poller
        self._trigger = Trigger(poller, server.port)
        self._measured = measured
        self._restart()

    def note(self, what: str) -> None:
        """Take the longest stall since the last note for this."""
        self._poller.idle(_SETTLED)
        longest = self._measured.longest
        longest[what] = max(longest.get(what, 0.0), self._restart())

    def close(self) -> None:
        self._trigger.close()

    def _restart(self) -> float:
        self._trigger.send(request("GET", "/stall"))
        return float(self._trigger.wait())


def measure(contender: Contender, connections: int, rounds: int) -> Measured:
    """Measure one server."""
    measured = Measured(contender)
    kinds: dict[str, tuple[str, Callable[..., object]]] = {"an event": (DOCUMENT, event)}
    if contender.name == "ours":
        kinds["a broadcast"] = _BROADCAST, _broadcast
    with (
        Server(contender) as server,
        closing(Poller()) as poller,
        closing(_Observed(server, poller, measured)) as observed,
    ):
        for what, (document, send) in kinds.items():
            with closing(Crowd(poller, server.port, contender.path)) as crowd:
                crowd.open([{"query": document}] * connections, at_once=_AT_ONCE)
                crowd.settle(partial(send, crowd))
                observed.note("all subscribe")
                for _ in range(rounds):
                    send(crowd)
                    observed.note(what)
            observed.note("all leave")
    return measured


def _broadcast(crowd: Crowd, seconds: float = PATIENCE) -> None:
    text = next(_texts)
    message = request("POST", f"/publish-message?message={text}")
    crowd.deliver(message, text.encode(), crowd.clients, seconds)


def report(results: Sequence[Measured], title: str) -> str:
    """Return a table."""
    whats = list(dict.fromkeys(what for measured in results for what in measured.longest))
    rows = [
        [measured.contender.name, *(number(measured.milliseconds(what)) for what in whats)]
        for measured in results
    ]
    return table(title, ("server, ms", *whats), rows)
