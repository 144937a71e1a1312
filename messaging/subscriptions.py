"""The GraphQL of messages: subscriptions."""

from typing import Any

from django.core.exceptions import ValidationError

from accounts.inputs import bad_input
from accounts.viewer import Info, viewer
from messaging import selectors
from messaging.models import Message, RoomMessage
from messaging.topics import ANNOUNCEMENTS
from realtime.live import Kind, LiveSubscriptionType, everyone

subscription = LiveSubscriptionType()


@subscription.topics("messages", kinds=[Kind.CREATED], share=everyone, hide_moved=True)
def message_topics(_: Any, info: Info, user_id: str | None = None) -> str:
    try:
        return selectors.followed_inbox(viewer(info), user_id)
    except ValidationError as error:
        raise bad_input(error) from None


subscription.load("messages")(selectors.messages_by_id)


@subscription.field("messages")
def resolve_message(message: Message, info: Info, **_: Any) -> Message:
    return message


@subscription.topics("onNewChatMessage", kinds=[Kind.CREATED], share=everyone, hide_moved=True)
def room_topics(_: Any, info: Info, chatroom: str) -> str:
    try:
        return selectors.followed_room(viewer(info), chatroom)
    except ValidationError as error:
        raise bad_input(error) from None


subscription.load("onNewChatMessage")(selectors.room_messages_by_id)


@subscription.field("onNewChatMessage")
def resolve_chat_message(message: RoomMessage, info: Info, **_: Any) -> RoomMessage:
    return message


@subscription.broadcasts("realTimeMessages", share=everyone)
async def announcements_topic(_: Any, info: Info) -> str:
    return ANNOUNCEMENTS


@subscription.field("realTimeMessages")
def resolve_announcement(message: str, info: Info) -> str:
    return message


bindables = (subscription,)
