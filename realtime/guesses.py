"""Guesses at the keys of sessions: an address may try so many that stand for nobody.

Each of them is a look into the database for who has not proven anything yet.
"""

from collections import OrderedDict

from realtime.conf import get_settings
from realtime.exceptions import RateLimitedError
from realtime.rates import MOST, Rate, network_of

BURST = 10
"""Seconds in which what nobody has tried at an address adds up."""

_missed = Rate()

_good: OrderedDict[int, None] = OrderedDict()
"""Hashes of the keys that stood for somebody lately: whatever others at the address try, these are
looked up. Python's hashes of texts have a secret of the process in them."""


def check(key: str, address: str) -> None:
    """Check that a key may be looked up for an address. Raises RateLimitedError."""
    rate = get_settings().unknown_token_rate
    if not rate or hash(key) in _good:
        return
    early = _missed.early(network_of(address), per_second=rate, burst=max(1, BURST * rate))
    if early:
        raise RateLimitedError(rate, early, "unknown tokens")


def note(key: str, address: str, *, is_good: bool) -> None:
    """Note whether a key that was looked up stands for somebody."""
    if is_good:
        _good[hash(key)] = None
        _good.move_to_end(hash(key))
        if len(_good) > MOST:
            _good.popitem(last=False)
        return
    _good.pop(hash(key), None)
    if rate := get_settings().unknown_token_rate:
        _missed.charge(network_of(address), 1, per_second=rate)
