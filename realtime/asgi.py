"""The ASGI application: Ariadne's GraphQL with our handlers."""

from collections.abc import Collection, Mapping

from ariadne.asgi import GraphQL
from ariadne.explorer import Explorer
from ariadne.types import ContextValue
from graphql import GraphQLSchema

from realtime.conf import get_settings
from realtime.documents import DocumentCache
from realtime.errors import muted, report_error
from realtime.result_size import BoundedExecutor, DiscreetBoundedExecutor
from realtime.transports.http import HTTPHandler
from realtime.transports.origins import Origins
from realtime.transports.status_codes import StatusCodes
from realtime.transports.websocket import WebSocketHandler


def graphql_app(
    schema: GraphQLSchema,
    *,
    allowed_origins: Collection[str] | Origins = (),
    context_value: ContextValue | None = None,
    costs: Mapping[str, int] | None = None,
    debug: bool = False,
    explorer: Explorer | None = None,
    http_handler: HTTPHandler | None = None,
    introspection: bool = True,
    status_codes: StatusCodes = "audits",
    suggestions: bool = False,
    websocket_handler: WebSocketHandler | None = None,
) -> GraphQL:
    """Return an application that serves a schema over HTTP and WebSocket.

    `allowed_origins` are the foreign origins (scheme, host and port) whose pages may open a
    WebSocket, and ask over HTTP with the user's cookies: they get CORS headers.
    `costs` are the weights of fields that cost more than others, as
    `{"Mutation.login": 1000}`; what an operation may cost is a setting.
    `introspection` lets clients ask for the schema, and errors with `suggestions` say
    which of its names may have been meant.
    `status_codes` are those of HTTP: as `HTTPHandler` has them.
    `debug` shows clients the tracebacks of unexpected errors, which are otherwise masked.
    Handlers of your own making have origins and status codes of their own.
    """
    origins = Origins.of(allowed_origins)
    documents = DocumentCache(schema, get_settings(), costs=costs, suggestions=suggestions)
    return GraphQL(
        schema,
        query_parser=documents,
        query_validator=documents.validate,  # type: ignore[arg-type]  # says what it takes
        context_value=context_value,
        debug=debug,
        introspection=introspection,
        explorer=explorer,
        logger=muted,
        error_formatter=report_error,
        # graphql-core's default is made for `@defer` and `@stream`, which Ariadne refuses anyway.
        execution_context_class=BoundedExecutor if suggestions else DiscreetBoundedExecutor,
        http_handler=http_handler
        or HTTPHandler(allowed_origins=origins, status_codes=status_codes),
        websocket_handler=websocket_handler or WebSocketHandler(allowed_origins=origins),
    )
