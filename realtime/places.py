"""How many connections there may be at once, in this process."""

from collections import Counter
from collections.abc import Hashable

from realtime.conf import get_settings
from realtime.exceptions import TooManyConnectionsError

_taken: Counter[Hashable] = Counter()


class Place:
    """What one connection takes up: of its user, or of those who are nobody in particular.

    Of these one address has some places, and all of them together, once they are let in. The
    users at one address have some together, too.
    """

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: tuple[Hashable, ...] = ()

    def take(self, pk: str | None, address: Hashable, *, is_let_in: bool) -> None:
        """Be that of a user or of an address, not of whom it was before.

        Raises TooManyConnectionsError, and stays as it was then.
        """
        shares = _shares(pk, address, is_let_in=is_let_in)
        for share, limit in shares.items():
            if _taken[share] - (share in self._of) >= limit:
                raise TooManyConnectionsError(limit)
        self.leave()
        self._of = tuple(shares)
        _taken.update(self._of)

    def leave(self) -> None:
        """Be nobody's. Idempotent."""
        for share in self._of:
            _taken[share] -= 1
            if not _taken[share]:
                del _taken[share]
        self._of = ()


def check(pk: str, address: Hashable) -> None:
    """Check that there is a place for one more of a user. Raises TooManyConnectionsError."""
    place = Place()
    try:
        place.take(pk, address, is_let_in=True)
    finally:
        place.leave()


def _shares(pk: str | None, address: Hashable, *, is_let_in: bool) -> dict[Hashable, int]:
    settings = get_settings()
    shares: dict[Hashable, int] = {}
    if pk is not None:
        shares["user", pk] = settings.max_connections_per_user
        if address is not None:
            shares["users at", address] = settings.max_user_connections_per_address
        return shares
    if address is not None:
        shares["address", address] = settings.max_connections_per_address
    if is_let_in:
        shares["anonymous"] = settings.max_anonymous_connections
    return shares
