"""The GraphQL of messages: queries and mutations."""

from typing import Any

from ariadne import MutationType, ObjectType, QueryType
from django.core.exceptions import ValidationError

from accounts.inputs import bad_input
from accounts.viewer import Info, viewer
from messaging import selectors, services
from messaging.models import RoomMessage
from realtime.database import in_database

query = QueryType()
mutation = MutationType()
chat_message = ObjectType("ChatMessage")

chat_message.set_alias("chatroom", "room_id")


@query.field("messages")
async def resolve_messages(_: Any, info: Info, user_id: str, **page: Any) -> dict[str, Any]:
    try:
        snapshot = await in_database(selectors.inbox_snapshot)(viewer(info), user_id, **page)
    except ValidationError as error:
        return {"success": False, "errors": error.messages}
    return {"success": True, **snapshot}


@query.field("history")
async def resolve_history(_: Any, info: Info, chatroom: str, **page: Any) -> list[RoomMessage]:
    try:
        return await in_database(selectors.room_messages)(viewer(info), chatroom, **page)
    except ValidationError as error:
        raise bad_input(error) from None


@query.field("roomMessages")
async def resolve_room_messages(_: Any, info: Info, chatroom: str, **page: Any) -> dict[str, Any]:
    try:
        return await in_database(selectors.room_snapshot)(viewer(info), chatroom, **page)
    except ValidationError as error:
        raise bad_input(error) from None


@mutation.field("createMessage")
async def resolve_create_message(_: Any, info: Info, **message: str | None) -> dict[str, Any]:
    try:
        sent = await in_database(services.send_message_as)(viewer(info), **message)
    except ValidationError as error:
        return {"success": False, "errors": error.messages}
    return {"success": True, "message": sent}


@mutation.field("sendChatMessage")
async def resolve_send_chat_message(_: Any, info: Info, chatroom: str, text: str) -> dict[str, Any]:
    try:
        await in_database(services.write_in_room)(sender=viewer(info), room=chatroom, text=text)
    except ValidationError as error:
        return {"ok": False, "errors": error.messages}
    return {"ok": True}


@chat_message.field("sender")
def resolve_sender(message: RoomMessage, info: Info) -> str:
    return message.sender.username if message.sender else "Anonymous"


bindables = (query, mutation, chat_message)
