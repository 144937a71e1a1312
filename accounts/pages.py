"""Pages of long lists: of how many, and beside which object they begin."""

from django.core.exceptions import ValidationError

from accounts.inputs import parse_id
from realtime.conf import get_settings


def page_size(asked: int | None) -> int:
    """Return how many objects to read: all that a page may have, unless fewer are asked for.

    Raises ValidationError.
    """
    most = get_settings().max_page_size
    if asked is None:
        return most
    if not 0 <= asked <= most:
        raise ValidationError(f"A page has 0 to {most} objects")
    return asked


def page_edge(id: str | None) -> int | None:
    """Return the primary key of the object beside which a page begins, None without one.

    Raises ValidationError.
    """
    if id is None:
        return None
    if (pk := parse_id(id)) is None:
        raise ValidationError(f"No page begins at {id:.40}")
    return pk
