"""How much somebody may ask for in a time: so much a second, and a burst after a rest.

Counted by user, and for those who have not logged in by address, in each process for itself.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Any

from realtime.conf import get_settings
from realtime.exceptions import RateLimitedError

MOST = 100_000
"""Askers that are remembered; who asked least recently is forgotten first."""

ROUNDING = 1e-6
"""Seconds by which sums of times are off."""


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
        now = monotonic()
        done_at = max(now, self._done_at.get(asker, now)) + 1 / per_second
        early = done_at - now - burst / per_second
        if early > ROUNDING:
            return early
        self._done_at[asker] = done_at
        self._done_at.move_to_end(asker)
        if len(self._done_at) > MOST:
            self._done_at.popitem(last=False)
        return 0


_operations = Rate()
_messages = Rate()


def count_operation(scope: Mapping[str, Any]) -> None:
    """Count one operation of who asks. Raises RateLimitedError."""
    settings = get_settings()
    if rate := settings.operation_rate:
        early = _operations.spend(asker_in(scope), per_second=rate, burst=settings.operation_burst)
        if early:
            raise RateLimitedError(rate, early)


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
