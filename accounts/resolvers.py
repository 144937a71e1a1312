"""The GraphQL of users."""

from typing import Any

from ariadne import MutationType, ObjectType, QueryType
from django.core.exceptions import ValidationError

from accounts import selectors, services
from accounts.models import User
from accounts.viewer import Info, log_in
from realtime.database import in_database

query = QueryType()
mutation = MutationType()
user = ObjectType("User")
user.set_alias("userId", "pk")


@query.field("userId")
async def resolve_user_id(_: Any, info: Info, username: str) -> str | None:
    return await in_database(selectors.user_id)(username)


@mutation.field("createUser")
async def resolve_create_user(_: Any, info: Info, username: str) -> dict[str, Any]:
    try:
        created = await in_database(services.create_user)(username)
    except ValidationError as error:
        return {"success": False, "errors": error.messages}
    return {"success": True, "user": created}


@mutation.field("login")
async def resolve_login(_: Any, info: Info, username: str, password: str) -> dict[str, bool]:
    found: User | None = await in_database(selectors.user_with_password)(username, password)
    if found is not None:
        await log_in(info, found)
    return {"ok": found is not None}


bindables = (query, mutation, user)
