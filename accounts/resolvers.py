"""The GraphQL of users."""

from contextlib import nullcontext
from typing import Any

from ariadne import MutationType, ObjectType, QueryType
from django.core.exceptions import ValidationError

from accounts import registrations, selectors, services
from accounts.attempts import client_address
from accounts.models import User
from accounts.requests import django_request
from accounts.rights import is_self, may_all
from accounts.viewer import Info, keep_in, log_in, log_out, viewer
from realtime.database import in_database
from realtime.hashing import hashed

query = QueryType()
mutation = MutationType()
user = ObjectType("User")
login_result = ObjectType("LoginResult")
logout_result = ObjectType("LogoutResult")

user.set_alias("userId", "pk")
login_result.set_alias("ok", "success")
logout_result.set_alias("ok", "success")


@query.field("me")
def resolve_me(_: Any, info: Info) -> User | None:
    return viewer(info)


@query.field("userId")
async def resolve_user_id(_: Any, info: Info, username: str) -> str | None:
    return await in_database(selectors.user_id)(username)


@mutation.field("createUser")
async def resolve_create_user(
    _: Any, info: Info, username: str, password: str | None = None, email: str | None = None
) -> dict[str, Any]:
    may_add = may_all(viewer(info), "accounts.add_user")
    if password is None and not may_add:
        return {"success": False, "errors": ["Give a password"]}
    address = client_address(django_request(info.context["request"].scope))
    try:
        with nullcontext() if may_add else registrations.counted(address):
            if password is None:
                new = await in_database(services.new_user)(username, email or "")
            else:
                scope = info.context["request"].scope
                new = await hashed(scope, services.new_user, username, email or "", password)
            created = await in_database(services.insert)(new)
    except ValidationError as error:
        return {"success": False, "errors": error.messages}
    return {"success": True, "user": created}


@mutation.field("login")
async def resolve_login(_: Any, info: Info, username: str, password: str) -> dict[str, Any]:
    scope = info.context["request"].scope
    check = services.user_with_password
    try:
        found = await hashed(scope, check, django_request(scope), username, password)
    except ValidationError as error:
        return {"success": False, "errors": error.messages}
    if found is None:
        return {"success": False, "errors": ["The username or the password is wrong"]}
    return {"success": True, "token": await log_in(info, found), "user": found}


@mutation.field("logout")
async def resolve_logout(_: Any, info: Info) -> dict[str, Any]:
    await log_out(info)
    return {"success": True}


@mutation.field("changePassword")
async def resolve_change_password(
    _: Any, info: Info, old_password: str, new_password: str
) -> dict[str, Any]:
    try:
        token = await keep_in(info, _changed(info, old_password, new_password))
    except ValidationError as error:
        return {"success": False, "errors": error.messages}
    return {"success": True, "token": token}


async def _changed(info: Info, old: str, new: str) -> User:
    scope = info.context["request"].scope
    change = services.with_new_password
    found = await hashed(scope, change, django_request(scope), viewer(info), old, new)
    return await in_database(services.save_password)(found)


@user.field("email")
def resolve_email(user: User, info: Info) -> str | None:
    asking = viewer(info)
    may_see = is_self(asking, user.pk) or may_all(asking, "accounts.view_user")
    return user.email if may_see else None


bindables = (query, mutation, user, login_result, logout_result)

costs = {"Mutation.login": 2_000, "Mutation.createUser": 2_000, "Mutation.changePassword": 2_500}
"""Of what hashes passwords: one of them a request is all that the limit of cost admits."""
