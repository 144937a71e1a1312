"""Who may do what to the objects of others."""

from django.conf import settings
from graphql import GraphQLError

from accounts.models import User
from realtime.protocols.error_codes import ErrorCode


def may_all(user: User | None, permission: str) -> bool:
    """Tell whether somebody may do this to anyone's objects.

    That is staff with the Django permission (`app.action_model`); in demo mode everyone.
    """
    if settings.CLEW_DEMO:
        return True
    return user is not None and user.is_staff and user.has_perm(permission)


def is_self(user: User | None, pk: int | None) -> bool:
    """Tell whether somebody is the user of this primary key."""
    return user is not None and pk is not None and user.pk == pk


def forbidden(reason: str) -> GraphQLError:
    """Return what a client is told of what its user may not."""
    return GraphQLError(reason, extensions={"code": ErrorCode.FORBIDDEN})
