"""How many users one address may register: each of them would have limits of its own."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from math import ceil

from django.conf import settings
from django.core.exceptions import ValidationError

from realtime.rates import Rate

BURST = 5
"""Users whom an address may register at once after a rest."""

HOUR = 3600

_registered = Rate()


@contextmanager
def counted(address: Hashable) -> Iterator[None]:
    """Count the registration in the block, unless it fails. Raises ValidationError if too early."""
    per_second = settings.CLEW_REGISTRATION_RATE / HOUR
    if not per_second:
        yield
        return
    # Before it is known whether it fails, else many could begin at once.
    if early := _registered.spend(address, per_second=per_second, burst=BURST):
        minutes = max(1, ceil(round(early) / 60))
        raise ValidationError(f"Too many registrations from here. Try again in {minutes} minutes.")
    try:
        yield
    except BaseException:
        _registered.charge(address, -1, per_second=per_second)
        raise
