"""Who is asking: the user of a session, by its cookie, its token or a login on this connection."""

from collections.abc import Awaitable, Collection
from typing import Any

from ariadne import SchemaBindable
from django.conf import settings
from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema
from graphql.type import GraphQLFieldResolver

from accounts.models import User
from realtime.exceptions import UnauthenticatedError
from realtime.viewer import Viewer, viewer_of

Info = GraphQLResolveInfo[dict[str, Any]]
"""What resolvers learn of their execution; the context holds Ariadne's `request`."""


def viewer(info: Info) -> User | None:
    """Return the user who asks, None when that is nobody in particular."""
    user = _viewer(info).user
    return user if user.is_authenticated else None


async def log_in(info: Info, user: User) -> str:
    """Make this connection the user's; return the token of a new session.

    Over HTTP the answer sets the session cookie, too.
    """
    return await _viewer(info).log_in(user)


async def keep_in(info: Info, change: Awaitable[User]) -> str:
    """Keep the user in whose password a change replaces; return the token of the new session.

    All other sessions of the user end. Raises what the change raises.
    """
    return await _viewer(info).keep_in(change)


async def log_out(info: Info) -> None:
    """End the session."""
    await _viewer(info).log_out()


def _viewer(info: Info) -> Viewer:
    viewer = viewer_of(info.context["request"])
    assert viewer is not None, "ViewerMiddleware is around the application"
    return viewer


class RequireViewer(SchemaBindable):
    """Puts the question "may anonymous callers do this?" before every root field.

    Bind it after all resolvers. Only the fields named here, and in demo mode all,
    are open to callers who have not logged in.
    """

    def __init__(self, *, public: Collection[str]) -> None:
        self._public = frozenset(public)

    def bind_to_schema(self, schema: GraphQLSchema) -> None:
        """Wrap the resolvers and sources of Query, Mutation and Subscription."""
        for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
            if root is not None:
                self._guard_fields(root)

    def _guard_fields(self, root: GraphQLObjectType) -> None:
        for name, field in root.fields.items():
            if name in self._public:
                continue
            if field.subscribe is not None:
                field.subscribe = _guarded(field.subscribe)
            elif field.resolve is not None:
                field.resolve = _guarded(field.resolve)


def _guarded(resolve: GraphQLFieldResolver) -> GraphQLFieldResolver:
    def guarded(root: Any, info: Info, **args: Any) -> Any:
        if viewer(info) is None and not settings.CLEW_DEMO:
            raise UnauthenticatedError("Log in first.")
        return resolve(root, info, **args)

    return guarded
