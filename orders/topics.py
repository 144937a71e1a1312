"""The names of the orders' topics."""

ALL_ORDERS = "orders"


def user_orders_topic(user_id: int) -> str:
    """Name the topic of a user's orders."""
    return f"orders.user.{user_id}"


def order_topic(order_id: int) -> str:
    """Name the topic of one order."""
    return f"order.{order_id}"
