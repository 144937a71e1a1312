"""Reads of users."""

from collections.abc import Iterable

from accounts.inputs import is_storable, parse_id
from accounts.models import User
from realtime.compiled import ByKey


def user_id(username: str) -> str | None:
    """Return the id of the user of that name."""
    if not is_storable(username):
        return None
    pk = User.objects.filter(username=username).values_list("pk", flat=True).first()
    return None if pk is None else str(pk)


def known_ids(ids: Iterable[str]) -> dict[str, int]:
    """Return the primary keys of the users that exist of these ids, in one query."""
    pks = {pk: text for text in ids if (pk := parse_id(text)) is not None}
    return {pks[pk]: pk for pk in _ids(pks)}


_ids = ByKey(User.objects.only("pk"))
