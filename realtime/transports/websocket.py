"""GraphQL over WebSocket, as an Ariadne handler."""

from collections.abc import Collection
from typing import Any

from ariadne.asgi.handlers import GraphQLWebsocketHandlerBase
from ariadne.types import OnConnect, OnDisconnect
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from realtime.conf import get_settings
from realtime.connection import Connection
from realtime.protocols.close_codes import CloseCode
from realtime.protocols.registry import negotiate


class WebSocketHandler(GraphQLWebsocketHandlerBase):
    """Serves both dialects, `graphql-transport-ws` and the legacy `graphql-ws`, to any schema.

    Browsers are let in from the origin of the server itself and from
    `allowed_origins` (scheme, host and port, e.g. `https://app.example.org`).
    """

    def __init__(
        self,
        *,
        allowed_origins: Collection[str] = (),
        on_connect: OnConnect | None = None,
        on_disconnect: OnDisconnect | None = None,
    ) -> None:
        super().__init__(on_connect=on_connect, on_disconnect=on_disconnect)
        self._allowed_origins = frozenset(allowed_origins)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; the entry point that Ariadne calls."""
        await self.handle_websocket(WebSocket(scope, receive=receive, send=send))

    async def handle_websocket(self, websocket: Any) -> None:
        """Accept the handshake, or not, and serve the connection to its end."""
        if not self._is_allowed(websocket):
            await websocket.close(int(CloseCode.FORBIDDEN))  # before acceptance: HTTP 403
        elif (dialect := negotiate(websocket.scope.get("subprotocols", ()))) is None:
            await websocket.accept()
            await websocket.close(
                int(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE), "Subprotocol not acceptable"
            )
        else:
            await websocket.accept(dialect.SUBPROTOCOL)
            settings = get_settings()
            protocol = dialect(
                keep_alive=bool(settings.keep_alive_interval),
                max_operations=settings.max_operations,
                max_message_size=settings.max_message_size,
            )
            await Connection(self, websocket, protocol).serve()

    def _is_allowed(self, websocket: WebSocket) -> bool:
        origin = websocket.headers.get("origin")
        if origin is None:  # not a browser, so nobody's cookies are misused
            return True
        scheme = "https" if websocket.scope.get("scheme") == "wss" else "http"
        own = f"{scheme}://{websocket.headers.get('host', '')}"
        return origin == own or origin in self._allowed_origins
