"""The GraphQL of messages: subscriptions."""

from typing import Any

from django.core.exceptions import ValidationError
from graphql import GraphQLError

from accounts.inputs import is_storable
from accounts.viewer import Info
from messaging import selectors
from messaging.models import Message, Room, RoomMessage
from messaging.topics import ANNOUNCEMENTS, inbox_topic, room_topic
from realtime.live import Kind, LiveSubscriptionType

subscription = LiveSubscriptionType()


@subscription.topics("messages", kinds=[Kind.CREATED])
def message_topics(_: Any, info: Info, user_id: str) -> str:
    try:
        return inbox_topic(selectors.known_user(user_id))
    except ValidationError as error:
        raise GraphQLError(error.messages[0], extensions={"code": "BAD_USER_INPUT"}) from None


subscription.load("messages")(selectors.messages_by_id)


@subscription.field("messages")
def resolve_message(message: Message, info: Info, **_: Any) -> Message:
    return message


@subscription.topics("onNewChatMessage", kinds=[Kind.CREATED])
async def room_topics(_: Any, info: Info, chatroom: str) -> str:
    if not is_storable(chatroom) or not 0 < len(chatroom) <= Room.MAX_NAME:
        raise GraphQLError("There can be no such room", extensions={"code": "BAD_USER_INPUT"})
    return room_topic(chatroom)


subscription.load("onNewChatMessage")(selectors.room_messages_by_id)


@subscription.field("onNewChatMessage")
def resolve_chat_message(message: RoomMessage, info: Info, **_: Any) -> RoomMessage:
    return message


@subscription.broadcasts("realTimeMessages")
async def announcements_topic(_: Any, info: Info) -> str:
    return ANNOUNCEMENTS


@subscription.field("realTimeMessages")
def resolve_announcement(message: str, info: Info) -> str:
    return message


bindables = (subscription,)
