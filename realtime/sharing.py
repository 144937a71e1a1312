"""Who shares the results of an operation with whom."""

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any

from graphql import GraphQLResolveInfo

Scope = Callable[..., Hashable | None]
"""Called as a resolver is: what the results depend on besides the operation; None for all else."""


def everyone(_: Any, info: GraphQLResolveInfo[Any], **args: Any) -> Hashable:
    """Share results among all subscribers: they do not depend on who is asking."""
    return to_everyone()


def to_everyone() -> Hashable:
    """Return the scope of all."""
    return "everyone"


def same_user(_: Any, info: GraphQLResolveInfo[Any], **args: Any) -> Hashable | None:
    """Share results among the connections of one user; nothing among anonymous callers.

    The user is that of the ASGI scope of Ariadne's `request`, as Channels puts it there.
    """
    context = info.context
    request = context.get("request") if isinstance(context, Mapping) else None
    user = request.scope.get("user") if request is not None else None
    pk = getattr(user, "pk", None)
    return None if pk is None else (user.__class__, pk)


def scope_of(
    share: Scope | None, root: Any, info: GraphQLResolveInfo[Any], **args: Any
) -> Callable[[], Hashable | None] | None:
    """Return what tells a subscriber's scope of the moment; None where nothing is shared."""
    if share is None or share is everyone:
        return share and to_everyone
    return partial(share, root, info, **args)
