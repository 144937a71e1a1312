"""Who is asking: the user of Django's session, over HTTP and WebSocket."""

from importlib import import_module
from types import SimpleNamespace
from typing import Any

from channels.sessions import CookieMiddleware, SessionMiddleware
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from starlette.types import ASGIApp, Receive, Scope, Send

from realtime.database import in_database


class ViewerMiddleware:
    """Puts `cookies`, `session` and `user` into the scope, as Channels' AuthMiddlewareStack does.

    It spends nothing on those who have no session, and nothing on the frames of a
    WebSocket, which cannot set cookies; users are read on the database pool.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._over_http = CookieMiddleware(SessionMiddleware(self._identify))
        self._over_websocket = CookieMiddleware(self._open_session)
        self._store: Any = import_module(settings.SESSION_ENGINE).SessionStore

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        over = self._over_websocket if scope["type"] == "websocket" else self._over_http
        await over(scope, receive, send)

    async def _open_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"] = self._store(scope["cookies"].get(settings.SESSION_COOKIE_NAME))
        await self._identify(scope, receive, send)

    async def _identify(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["user"] = AnonymousUser()
        if settings.SESSION_COOKIE_NAME in scope["cookies"]:
            session = scope["session"]
            if scope["type"] == "websocket":
                session = _AsItIs(session)
            # All that Django's function asks of a request is the session.
            request: Any = SimpleNamespace(session=session)
            scope["user"] = await in_database(get_user)(request)
        await self._app(scope, receive, send)


class _AsItIs:
    """A session that `get_user` cannot renew: over a WebSocket nobody would learn its new name."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getitem__(self, key: str) -> Any:
        return self._session[key]

    def __setitem__(self, key: str, value: Any) -> None:
        pass

    def get(self, key: str) -> Any:
        return self._session.get(key)

    def cycle_key(self) -> None:
        pass

    def flush(self) -> None:
        pass
