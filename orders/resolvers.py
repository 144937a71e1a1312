"""The GraphQL of orders: queries."""

from typing import Any

from ariadne import ObjectType, QueryType
from django.core.exceptions import ValidationError

from accounts.inputs import bad_input
from accounts.models import User
from accounts.viewer import Info, viewer
from orders import selectors
from orders.models import Order
from realtime.database import in_database

query = QueryType()
order = ObjectType("Order")


@query.field("getOrders")
async def resolve_orders(_: Any, info: Info, **page: Any) -> list[Order]:
    try:
        return await in_database(selectors.orders)(viewer(info), **page)
    except ValidationError as error:
        raise bad_input(error) from None


@query.field("orders")
async def resolve_orders_snapshot(_: Any, info: Info, **page: Any) -> dict[str, Any]:
    try:
        return await in_database(selectors.orders_snapshot)(viewer(info), **page)
    except ValidationError as error:
        raise bad_input(error) from None


@order.field("user")
def resolve_user(order: Order, info: Info) -> User | None:
    return order.user if order.user_id is not None else None


@order.field("deleted")
def resolve_deleted(order: Order, info: Info) -> bool:
    return order._state.adding


bindables = (query, order)
