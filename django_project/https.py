"""HTTPS alone, for what Django does not serve itself."""

from typing import Any

from channels.security.websocket import WebsocketDenier
from starlette.datastructures import URL
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class RequireHTTPS:
    """Sends plain HTTP to HTTPS, as Django's SecurityMiddleware does; refuses plain WebSockets.

    Clients follow no redirect of a WebSocket. Behind a proxy that ends TLS the server must be told
    whom to believe that it did: `manage.py serve --forwarded-allow-ips`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what came by TLS."""
        app: Any = self._app
        if scope.get("scheme") not in {"https", "wss"}:
            if scope["type"] == "websocket":
                app = WebsocketDenier.as_asgi()
            else:
                url = URL(scope=scope)
                # Proxies may name the default port, which is another one over HTTPS.
                port = {} if url.port != 80 else {"port": None}
                app = RedirectResponse(url.replace(scheme="https", **port), 307)
        await app(scope, receive, send)
