"""The ASGI application: GraphQL at /graphql/, Django for the rest."""

import logging
import os
import re

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_project.settings")
django_application = get_asgi_application()

from ariadne.explorer import ExplorerHttp405  # noqa: E402  (the apps must be ready)
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import WebsocketDenier  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.staticfiles.storage import staticfiles_storage  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from django.urls import re_path  # noqa: E402
from starlette.types import ASGIApp  # noqa: E402

import accounts.resolvers  # noqa: E402
from django_project.bodies import LimitedBodies  # noqa: E402
from django_project.checks import check_demo_by_file  # noqa: E402
from django_project.explorer import GraphiQL  # noqa: E402
from django_project.headers import GRAPHIQL, SecurityHeaders  # noqa: E402
from django_project.hosts import AllowedHosts  # noqa: E402
from django_project.https import RequireHTTPS  # noqa: E402
from django_project.large_headers import LimitedHeaders  # noqa: E402
from django_project.schema import schema  # noqa: E402
from django_project.turns import InTurn, admin_login, files, pages  # noqa: E402
from realtime.asgi import graphql_app  # noqa: E402
from realtime.authentication import ViewerMiddleware  # noqa: E402
from realtime.lifespan import lifespan  # noqa: E402
from realtime.transports.origins import Origins  # noqa: E402

logger = logging.getLogger("django_project")
for error in check_demo_by_file():
    raise ImproperlyConfigured(error.msg)
if settings.CLEW_DEMO:
    logger.warning(
        "Demo mode is on: anyone who reaches this server may read and write everything. "
        "CLEW_DEMO=0 turns it off."
    )
if not getattr(staticfiles_storage, "hashed_files", True):
    logger.warning(
        "Static files were not collected, so that the admin cannot show its pages: "
        "run manage.py collectstatic."
    )

graphql: ASGIApp = ViewerMiddleware(
    graphql_app(
        schema,
        allowed_origins=Origins(settings.CORS_ALLOWED_ORIGINS, setting="CORS_ALLOWED_ORIGINS"),
        costs=accounts.resolvers.costs,
        debug=settings.DEBUG,
        explorer=GraphiQL() if settings.CLEW_GRAPHIQL else ExplorerHttp405(),
        introspection=settings.CLEW_INTROSPECTION,
        suggestions=settings.CLEW_INTROSPECTION,
    )
)
if settings.CLEW_GRAPHIQL:
    graphql = SecurityHeaders(graphql, GRAPHIQL)
if settings.SECURE_SSL_REDIRECT:
    graphql = RequireHTTPS(graphql)

graphql_route = re_path(r"^graphql/?$", AllowedHosts(graphql))  # type: ignore[arg-type]  # ASGI

static_path = rf"^{re.escape(settings.STATIC_URL.lstrip('/'))}"
django: ASGIApp = django_application  # type: ignore[assignment]  # its scope is a dict
static_files = LimitedHeaders(LimitedBodies(InTurn(django, files())))
django_pages = LimitedHeaders(LimitedBodies(InTurn(InTurn(django, pages()), admin_login)))

application = SecurityHeaders(
    ProtocolTypeRouter(
        {
            "http": URLRouter(
                [
                    graphql_route,
                    re_path(static_path, static_files),  # type: ignore[arg-type]  # ASGI
                    re_path("", django_pages),  # type: ignore[arg-type]  # ASGI
                ]
            ),
            "lifespan": lifespan,
            "websocket": URLRouter([graphql_route, re_path("", WebsocketDenier.as_asgi())]),
        }
    )
)
