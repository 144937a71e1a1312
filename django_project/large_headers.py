"""A limit on the headers that Django would take long to parse."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from realtime.transports.header_limits import too_large


class LimitedHeaders:
    """Refuses such requests with 431, as the engine does by itself for GraphQL."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        app = self._app
        if name := too_large(scope):
            app = PlainTextResponse(f"The header {name} is too large.", status_code=431)
        await app(scope, receive, send)
