"""Who may read which orders."""

from collections.abc import Hashable

from accounts.models import User
from accounts.rights import is_self, may_all
from orders.models import Order


def may_read_all(asker: User | None) -> bool:
    """Tell whether somebody may read everyone's orders."""
    return may_all(asker, "orders.view_order")


def may_read(asker: User | None, order: Order) -> bool:
    """Tell whether somebody may read an order: it is the own one, or all are readable."""
    return is_self(asker, order.user_id) or may_read_all(asker)


def view_of(asker: User | None) -> Hashable | None:
    """Return what is the same for those who are shown the same of orders; None for nobody else.

    Of a user the email is shown to that user, and to who may view users.
    """
    if may_read_all(asker) and may_all(asker, "accounts.view_user"):
        return "all"
    return asker and asker.pk
