"""The project's schema, for the commands that need it."""

from django.core.management.base import CommandError
from django.utils.module_loading import import_string
from graphql import GraphQLSchema

from realtime.conf import get_settings


def project_schema() -> GraphQLSchema | None:
    """Return the schema that REALTIME["SCHEMA"] names, None where it names none.

    Raises CommandError.
    """
    path = get_settings().schema
    if not path:
        return None
    try:
        schema = import_string(path)
    except ImportError as error:
        raise CommandError(f"REALTIME['SCHEMA']: {error}") from None
    if not isinstance(schema, GraphQLSchema):
        raise CommandError(f"REALTIME['SCHEMA'] is {path!r}, which is not a GraphQLSchema.")
    return schema
