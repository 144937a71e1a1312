"""The GraphQL schema, composed of those of the apps."""

from datetime import date, datetime

from ariadne import ScalarType, load_schema_from_path, make_executable_schema
from django.conf import settings

import accounts.resolvers
import messaging.resolvers
import messaging.subscriptions
import orders.resolvers
import orders.subscriptions
from accounts.viewer import RequireViewer
from django_project import probes

day = ScalarType("Date", serializer=date.isoformat)
date_time = ScalarType("DateTime", serializer=datetime.isoformat)

schema = make_executable_schema(
    [
        load_schema_from_path(settings.BASE_DIR / app / "schema.graphql")
        for app in ("django_project", "accounts", "messaging", "orders")
    ],
    day,
    date_time,
    *probes.bindables,
    *accounts.resolvers.bindables,
    *messaging.resolvers.bindables,
    *messaging.subscriptions.bindables,
    *orders.resolvers.bindables,
    *orders.subscriptions.bindables,
    RequireViewer(public=["createUser", "login", "logout", "me"]),
    convert_names_case=True,
)
