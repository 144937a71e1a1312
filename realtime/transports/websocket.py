"""GraphQL over WebSocket, as an Ariadne handler."""

from collections.abc import Collection
from typing import Any

from ariadne.asgi.handlers import GraphQLWebsocketHandlerBase
from ariadne.types import OnComplete, OnConnect, OnDisconnect, OnOperation
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from realtime.conf import get_settings
from realtime.connection import Connection
from realtime.outbox import closes
from realtime.protocols.close_codes import CloseCode
from realtime.protocols.registry import negotiate
from realtime.transports.origins import Origins
from realtime.transports.scope import explaining


class WebSocketHandler(GraphQLWebsocketHandlerBase):
    """Serves both dialects, `graphql-transport-ws` and the legacy `graphql-ws`, to any schema.

    Browsers are let in from the origin of the server itself and from
    `allowed_origins` (scheme, host and port, e.g. `https://app.example.org`); who tells no
    origin must not bear cookies.

    `on_connect(websocket, payload)` may refuse with a GraphQLError or Ariadne's
    WebSocketConnectionError, which clients of the legacy dialect get whole, and may return
    the payload of the acknowledgement;
    `on_operation` and `on_complete(websocket, operation)` frame the delivery of each
    operation's results; `on_disconnect(websocket)` comes last. Each may be async.

    With `strict_ordering` the operations of a connection begin one after another: each
    waits until the one before has its result or, a subscription, is live.

    One context serves all operations of a connection, as Ariadne makes it for the first:
    what a resolver puts into it, later ones find.
    """

    def __init__(
        self,
        *,
        allowed_origins: Collection[str] | Origins = (),
        on_connect: OnConnect | None = None,
        on_operation: OnOperation | None = None,
        on_complete: OnComplete | None = None,
        on_disconnect: OnDisconnect | None = None,
        strict_ordering: bool = False,
    ) -> None:
        super().__init__(on_connect, on_disconnect, on_operation, on_complete)
        self._origins = Origins.of(allowed_origins)
        self._strict_ordering = strict_ordering

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; the entry point that Ariadne calls."""
        await self.handle_websocket(WebSocket(explaining(scope), receive=receive, send=send))

    async def handle_websocket(self, websocket: Any) -> None:
        """Accept the handshake, or not, and serve the connection to its end."""
        if not self._is_allowed(websocket):
            await websocket.close(int(CloseCode.FORBIDDEN))  # before acceptance: HTTP 403
        elif (dialect := negotiate(websocket.scope.get("subprotocols", ()))) is None:
            await websocket.accept()
            closes[CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE] += 1
            await websocket.close(
                int(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE), "Subprotocol not acceptable"
            )
        else:
            await websocket.accept(dialect.SUBPROTOCOL)
            settings = get_settings()
            protocol = dialect(
                keep_alive=bool(settings.keep_alive_interval),
                max_operations=settings.max_operations,
                max_waiting=settings.max_operations,
                max_message_size=settings.max_message_size,
            )
            connection = Connection(
                self, websocket, protocol, strict_ordering=self._strict_ordering
            )
            await connection.serve()

    def _is_allowed(self, websocket: WebSocket) -> bool:
        origin = websocket.headers.get("origin")
        if origin is None:  # not a browser: nobody's cookies are misused, unless it has some
            return "cookie" not in websocket.headers
        if self._origins.admits(origin, websocket.scope):
            return True
        self._origins.report(origin)
        return False
