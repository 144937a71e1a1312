"""How much somebody may ask for in a time: so much a second, and a burst after a rest.

Counted by user, and for those who have not logged in by address, in each process for itself.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Any

from realtime.conf import Settings, get_settings
from realtime.exceptions import RateLimitedError

MOST = 100_000
"""Askers that are remembered; who asked least recently is forgotten first."""

ROUNDING = 1e-6
"""Seconds by which sums of times are off."""

USERS = 10
"""Users whose rates add up at one address: whoever registers many has no more together."""

TOKENS, COST, VARIABLES, BYTES = 200, 300, 8 * 1024, 64 * 1024
"""What counts as one operation: so many tokens parsed and validated anew, cost executed, bytes of
variables, or bytes of a body.

Each takes 10 ms of CPU at most, so that 50 operations a second take half of a core.
"""


class Rate:
    """Of each asker, when what was asked for so far is worked off.

    The generic cell rate algorithm: one number an asker, and no timers.
    """

    def __init__(self) -> None:
        self._done_at: OrderedDict[Hashable, float] = OrderedDict()

    def spend(self, asker: Hashable, *, per_second: float, burst: float) -> float:
        """Count one; return for how many seconds it comes too early, 0 where it does not.

        What comes too early is not counted.
        """
        early = self.early(asker, per_second=per_second, burst=burst)
        if not early:
            self.charge(asker, 1, per_second=per_second)
        return early

    def early(self, asker: Hashable, *, per_second: float, burst: float) -> float:
        """Return for how many seconds one comes too early, 0 where it does not; count nothing."""
        now = monotonic()
        done_at = max(now, self._done_at.get(asker, now)) + 1 / per_second
        early = done_at - now - burst / per_second
        return early if early > ROUNDING else 0

    def charge(self, asker: Hashable, amount: float, *, per_second: float) -> None:
        """Count so much that was done already, however early it came: what follows must wait."""
        now = monotonic()
        self._done_at[asker] = max(now, self._done_at.get(asker, now)) + amount / per_second
        self._done_at.move_to_end(asker)
        if len(self._done_at) > MOST:
            self._done_at.popitem(last=False)


_operations = Rate()
_messages = Rate()


@dataclass(slots=True)
class _Bill:
    """What the operation of the running task has cost so far, in operations."""

    payers: Sequence[tuple[Hashable, float, float]]
    """Each with its rate and its burst: the first is who asks."""
    work: float = 0.0
    paid: float = 1.0


asker: ContextVar[Hashable] = ContextVar("asker", default=None)
"""Who has asked for the operation of the running task; None where nobody has said so."""

_bill: ContextVar[_Bill | None] = ContextVar("bill", default=None)


def count_operation(scope: Mapping[str, Any]) -> None:
    """Count one operation of who asks. Raises RateLimitedError.

    Where it turns out to be a large one, `charge` counts the rest, in the same task.
    """
    settings = get_settings()
    _bill.set(None)
    asker.set(asker_in(scope))
    if settings.operation_rate:
        bill = _Bill(_payers(scope, settings))
        for payer, rate, burst in bill.payers:
            if early := _operations.early(payer, per_second=rate, burst=burst):
                raise RateLimitedError(rate, early)
        for payer, rate, _ in bill.payers:
            _operations.charge(payer, 1, per_second=rate)
        _bill.set(bill)


def _payers(
    scope: Mapping[str, Any], settings: Settings
) -> Sequence[tuple[Hashable, float, float]]:
    rate, burst = settings.operation_rate, settings.operation_burst
    who = asker.get()
    if not is_user(who):
        return ((who, min(rate, settings.anonymous_operation_rate), burst),)
    network = network_of((scope.get("client") or ("",))[0])
    if network is None:
        return ((who, rate, burst),)
    return ((who, rate, burst), (("users at", network), USERS * rate, USERS * burst))


def charge(*, tokens: int = 0, cost: int = 0, variables: int = 0, body: int = 0) -> None:
    """Count work that the operation of the running task has made, accepted or refused.

    What does not go beyond the work of one operation is paid for.
    """
    if (bill := _bill.get()) is None:
        return
    bill.work += tokens / TOKENS + cost / COST + variables / VARIABLES + body / BYTES
    if bill.work > bill.paid:
        for payer, rate, _ in bill.payers:
            _operations.charge(payer, bill.work - bill.paid, per_second=rate)
        bill.paid = bill.work


async def in_turn(scope: Mapping[str, Any]) -> None:
    """Count one message over a WebSocket, and return when it is its turn."""
    settings = get_settings()
    if not (rate := settings.message_rate):
        return
    asker, burst = asker_in(scope), settings.message_burst
    early = _messages.spend(asker, per_second=rate, burst=burst)
    while early:  # others of the same asker wait, too, and one of them is next
        await asyncio.sleep(early)
        early = _messages.spend(asker, per_second=rate, burst=burst)


def asker_in(scope: Mapping[str, Any]) -> Hashable:
    """Return who asks: a user, or an address."""
    pk = getattr(scope.get("user"), "pk", None)
    if pk is not None:
        return "user", pk
    return network_of((scope.get("client") or ("",))[0])


def is_user(asker: Hashable) -> bool:
    """Tell whether who asks has logged in."""
    return isinstance(asker, tuple)


@lru_cache(10_000)
def network_of(address: str) -> str | None:
    """Return the address that a client cannot change at will: of IPv6 the network, a /64.

    None where it is none.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
    return str(found)
