"""Finds out who is asking: by a bearer's token, or by the cookie of Django's session."""

from channels.sessions import CookieMiddleware, SessionMiddleware
from django.conf import settings
from django.utils.functional import SimpleLazyObject
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from realtime import sessions
from realtime.exceptions import TooManyConnectionsError
from realtime.protocols.close_codes import CloseCode
from realtime.transports.refusal import RefusedError
from realtime.viewer import Viewer

UNKNOWN = RefusedError(
    401,
    "The token in Authorization is none, or no longer: log in again.",
    {"WWW-Authenticate": "Bearer"},
    code="UNAUTHENTICATED",
)


class ViewerMiddleware:
    """Puts `cookies`, `session`, `user` and `viewer` into the scope, and owns the viewer.

    Who gives no credentials costs nothing; a token that stands for nobody is refused.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._over_http = CookieMiddleware(self._serve_http)
        self._with_cookie = SessionMiddleware(self._serve_by_cookie)
        self._over_websocket = CookieMiddleware(self._serve_websocket)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        over = self._over_websocket if scope["type"] == "websocket" else self._over_http
        await over(scope, receive, send)

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = sessions.bearer(Headers(scope=scope).get("authorization"))
        if token is None:
            await self._with_cookie(scope, receive, send)
        elif await _anonymous(scope).identify(token):
            await self._app(scope, receive, send)
        else:
            await UNKNOWN.response()(scope, receive, send)

    async def _serve_by_cookie(self, scope: Scope, receive: Receive, send: Send) -> None:
        viewer = Viewer(scope, answers_with_cookie=True)
        if sessions.is_key(scope["cookies"].get(settings.SESSION_COOKIE_NAME)):
            await viewer.identify_by_session()
        await self._app(scope, receive, send)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        viewer = _anonymous(scope)
        token = sessions.bearer(Headers(scope=scope).get("authorization"))
        cookie = scope["cookies"].get(settings.SESSION_COOKIE_NAME)
        try:
            async with viewer.connected():
                is_known = await viewer.identify(cookie if token is None else token)
                viewer.check_connections()
                if is_known or token is None:  # a cookie may have outlived its session
                    await self._app(scope, receive, send)
                    return
        except TooManyConnectionsError:
            pass
        # Before it is accepted: HTTP 403.
        await send({"type": "websocket.close", "code": int(CloseCode.FORBIDDEN)})


def _anonymous(scope: Scope) -> Viewer:
    scope["session"] = SimpleLazyObject(sessions.opened)
    return Viewer(scope, answers_with_cookie=False)
