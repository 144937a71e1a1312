"""The GraphQL of orders: subscriptions."""

from typing import Any

from graphql import GraphQLError

from accounts.viewer import Info
from orders import selectors
from orders.models import Order
from orders.topics import ALL_ORDERS, order_topic
from realtime.live import LiveSubscriptionType, everyone

subscription = LiveSubscriptionType()


def first_order(_: Any, info: Info, id: str | None = None) -> Order | None:
    """Return what a subscriber gets at once: the order asked for, or the newest."""
    return selectors.newest_order() if id is None else selectors.order(id)


@subscription.topics("getOrder", initial=first_order, share=everyone)
def order_topics(_: Any, info: Info, id: str | None = None) -> str:
    if id is None:
        return ALL_ORDERS
    if (order := selectors.order(id)) is None:
        raise GraphQLError(f"There is no order {id:.40}", extensions={"code": "BAD_USER_INPUT"})
    return order_topic(order.pk)


subscription.load("getOrder")(selectors.orders_by_id)
subscription.gone("getOrder")(selectors.deleted_orders)


@subscription.field("getOrder")
def resolve_order(order: Order, info: Info, **_: Any) -> Order:
    return order


bindables = (subscription,)
