"""The GraphQL of orders: subscriptions."""

from collections.abc import Hashable
from typing import Any

from django.core.exceptions import ValidationError

from accounts.inputs import bad_input
from accounts.rights import forbidden
from accounts.viewer import Info, viewer
from orders import rights, selectors
from orders.models import Order
from realtime.live import LiveSubscriptionType

subscription = LiveSubscriptionType()


def first_order(_: Any, info: Info, id: str | None = None) -> Order | None:
    """Return what a subscriber gets at once: the order asked for, or the newest."""
    asker = viewer(info)
    return selectors.newest_order(asker) if id is None else selectors.order(asker, id)


def same_view(_: Any, info: Info, id: str | None = None) -> Hashable | None:
    """Share results among those who are shown the same of orders."""
    return rights.view_of(viewer(info))


@subscription.topics("getOrder", initial=first_order, share=same_view, hide_moved=True)
def order_topics(_: Any, info: Info, id: str | None = None) -> str:
    asker = viewer(info)
    if id is None:
        return selectors.followed_orders(asker)
    try:
        return selectors.followed_order(asker, id)
    except ValidationError as error:
        raise bad_input(error) from None


subscription.load("getOrder")(selectors.orders_by_id)
subscription.gone("getOrder")(selectors.deleted_orders)


@subscription.field("getOrder")
def resolve_order(order: Order, info: Info, **_: Any) -> Order:
    if not rights.may_read(viewer(info), order):  # followed by its id, it went over to another
        raise forbidden("This is not your order.")
    return order


bindables = (subscription,)
