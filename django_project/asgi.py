"""The ASGI application: GraphQL at /graphql/, Django for the rest."""

import logging
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_project.settings")
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  (the apps must be ready)
from channels.security.websocket import WebsocketDenier  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import re_path  # noqa: E402
from starlette.middleware.cors import CORSMiddleware  # noqa: E402

from django_project.explorer import GraphiQL  # noqa: E402
from django_project.hosts import AllowedHosts  # noqa: E402
from django_project.schema import schema  # noqa: E402
from realtime.asgi import graphql_app  # noqa: E402
from realtime.authentication import ViewerMiddleware  # noqa: E402
from realtime.lifespan import lifespan  # noqa: E402
from realtime.transports.parameters import PREFLIGHT  # noqa: E402
from realtime.transports.reservations import HEADER as TOKEN_HEADER  # noqa: E402

if settings.CLEW_DEMO:
    logging.getLogger("django_project").warning(
        "Demo mode is on: anyone who reaches this server may read and write everything. "
        "CLEW_DEMO=0 turns it off."
    )

graphql = graphql_app(
    schema,
    allowed_origins=settings.CORS_ALLOWED_ORIGINS,
    debug=settings.DEBUG,
    explorer=GraphiQL(),
)

graphql_route = re_path(r"^graphql/?$", AllowedHosts(ViewerMiddleware(graphql)))  # type: ignore[arg-type]

application = CORSMiddleware(
    ProtocolTypeRouter(
        {
            "http": URLRouter(
                [
                    graphql_route,
                    re_path("", django_application),  # type: ignore[arg-type]  # ASGI
                ]
            ),
            "lifespan": lifespan,
            "websocket": URLRouter([graphql_route, re_path("", WebsocketDenier.as_asgi())]),
        }
    ),
    allow_origins=settings.CORS_ALLOWED_ORIGINS,
    allow_credentials=True,
    allow_methods=["GET", "POST", "PUT", "DELETE"],
    allow_headers=["authorization", "content-type", *PREFLIGHT, TOKEN_HEADER, "last-event-id"],
)
