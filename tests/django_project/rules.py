"""Who gets what of every field: the table of test_matrix.py.

A root field has examples, with what each role gets of them; a field of another type has a
rule. A field without one of them fails the test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from messaging.topics import ANNOUNCEMENTS

ANONYMOUS = "anonymous"
OWNER = "owner"
"""Whose inbox, room and order the examples are about."""
OTHER = "other"
CLERK = "clerk"
"""One of the staff, without a permission."""
OFFICER = "officer"
"""One of the staff, with PERMISSIONS."""
SUPERUSER = "superuser"
INACTIVE = "inactive"
SAME = "the same"

ROLES = (ANONYMOUS, OWNER, OTHER, CLERK, OFFICER, SUPERUSER, INACTIVE)

PERMISSIONS = (
    *("accounts.add_user", "accounts.view_user", "orders.view_order"),
    *("messaging.add_message", "messaging.view_message"),
    *("messaging.add_roommessage", "messaging.view_roommessage"),
)

BAD_USER_INPUT = "BAD_USER_INPUT"
FORBIDDEN = "FORBIDDEN"
UNAUTHENTICATED = "UNAUTHENTICATED"
CODES = (BAD_USER_INPUT, FORBIDDEN, UNAUTHENTICATED)

NULL = "null"
DATA = "data"
"""Something, without errors, and with no empty list."""
OWN = "data of the role itself"
ALL = "data of all roles"
OWNERS = "data of the owner"

Gets = Mapping[str, str]

ANYONE: Gets = dict.fromkeys(ROLES, DATA)
USERS: Gets = {**ANYONE, ANONYMOUS: UNAUTHENTICATED, INACTIVE: UNAUTHENTICATED}
OWNER_AND_STAFF: Gets = {**USERS, OTHER: FORBIDDEN, CLERK: FORBIDDEN}
OWN_AND_ALL: Gets = {**USERS, OWNER: OWN, OTHER: OWN, CLERK: OWN, OFFICER: ALL, SUPERUSER: ALL}
OWN_AND_NEWEST: Gets = {**OWN_AND_ALL, OFFICER: OWNERS, SUPERUSER: OWNERS}
NOT_THERE: Gets = {
    **dict.fromkeys((OWNER, OTHER, CLERK), FORBIDDEN),
    **dict.fromkeys((OFFICER, SUPERUSER), BAD_USER_INPUT),
    **dict.fromkeys((ANONYMOUS, INACTIVE), UNAUTHENTICATED),
}


@dataclass(frozen=True, slots=True)
class Example:
    """A root field with arguments: $owner is an id, $order that of the owner's, $new is unused."""

    call: str
    gets: Gets
    broadcast: tuple[str, str] | None = None
    """Topic and payload of what is to be told when the subscription is live."""
    becomes: str | None = None
    """The role in which the asker is afterwards: the session is not that of before."""


ROOTS: dict[str, list[Example]] = {
    # The project
    "Query.hello": [Example("hello", USERS)],
    "Subscription.count": [Example("count(target: 1)", USERS), Example("count", USERS)],
    # Accounts
    "Query.me": [Example("me", {**USERS, ANONYMOUS: NULL, INACTIVE: NULL})],
    "Query.userId": [Example('userId(username: "owner")', USERS)],
    "Mutation.createUser": [
        Example('createUser(username: "$new", password: "a ball of yarn")', ANYONE)
    ],
    "Mutation.login": [
        Example('login(username: "owner", password: "pass")', ANYONE, becomes=OWNER)
    ],
    "Mutation.logout": [Example("logout", ANYONE, becomes=ANONYMOUS)],
    "Mutation.changePassword": [
        Example('changePassword(oldPassword: "pass", newPassword: "$new")', USERS, becomes=SAME)
    ],
    # Messaging
    "Query.messages": [Example('messages(userId: "$owner")', OWNER_AND_STAFF)],
    "Query.history": [
        Example('history(chatroom: "kittens")', USERS),
        Example('history(chatroom: "loft")', OWNER_AND_STAFF),
    ],
    "Query.roomMessages": [
        Example('roomMessages(chatroom: "kittens")', USERS),
        Example('roomMessages(chatroom: "loft")', OWNER_AND_STAFF),
    ],
    "Mutation.createMessage": [
        Example(
            'createMessage(senderId: "$owner", recipientId: "$owner", content: "Hi")',
            OWNER_AND_STAFF,
        )
    ],
    "Mutation.sendChatMessage": [
        Example('sendChatMessage(chatroom: "kittens", text: "Hi")', USERS),
        Example('sendChatMessage(chatroom: "loft", text: "Hi")', OWNER_AND_STAFF),
    ],
    "Subscription.messages": [
        Example('messages(userId: "$owner", after: "0")', OWNER_AND_STAFF),
        Example('messages(after: "0")', USERS),
    ],
    "Subscription.onNewChatMessage": [
        Example('onNewChatMessage(chatroom: "kittens", after: "0")', USERS),
        Example('onNewChatMessage(chatroom: "loft", after: "0")', OWNER_AND_STAFF),
    ],
    "Subscription.realTimeMessages": [
        Example("realTimeMessages", USERS, broadcast=(ANNOUNCEMENTS, "Hello"))
    ],
    # Orders
    "Query.getOrders": [Example("getOrders", OWN_AND_ALL)],
    "Query.orders": [Example("orders", OWN_AND_ALL)],
    "Subscription.getOrder": [
        Example("getOrder", OWN_AND_NEWEST),
        Example('getOrder(id: "$order")', OWNER_AND_STAFF),
        Example('getOrder(id: "999")', NOT_THERE),
    ],
}


class Seen(NamedTuple):
    """The value of a field, beside the others of its object, as somebody got it."""

    value: Any
    siblings: Mapping[str, Any]
    id: str | None
    """Of who asks."""
    role: str


Rule = Callable[[Seen], bool]


def visible(seen: Seen) -> bool:
    """Whoever gets the object gets the field, which is never empty here."""
    return seen.value not in (None, [])


def null(seen: Seen) -> bool:
    """The errors of a result: the examples make none."""
    return seen.value is None


def of_oneself(seen: Seen) -> bool:
    """What a user is shown, and who may view users; others get null."""
    may_see = seen.siblings["userId"] == seen.id or seen.role in {OFFICER, SUPERUSER}
    return (seen.value is not None) == may_see


def shown(names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), visible)


FIELDS: dict[str, dict[str, Rule]] = {
    # Accounts
    "User": {**shown("id userId username"), "email": of_oneself},
    "createUserResult": {**shown("success user"), "errors": null},
    "LoginResult": {**shown("ok success token user"), "errors": null},
    "LogoutResult": {**shown("ok success"), "errors": null},
    "ChangePasswordResult": {**shown("success token"), "errors": null},
    # Messaging
    "Message": shown("id senderId recipientId content createdAt"),
    "ChatMessage": shown("id chatroom sender text createdAt"),
    "messagesResult": {**shown("success messages cursor"), "errors": null},
    "RoomMessagesResult": shown("messages cursor"),
    "createMessageResult": {**shown("success message"), "errors": null},
    "SendChatMessageResult": {**shown("ok"), "errors": null},
    # Orders
    "Order": shown("id date createdAt state description user deleted"),
    "OrdersResult": shown("orders cursor"),
}
