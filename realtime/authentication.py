"""Finds out who is asking: by a bearer's token, or by the cookie of Django's session."""

import logging
from functools import partial

from channels.sessions import CookieMiddleware, InstanceSessionWrapper
from django.conf import settings
from django.db import DatabaseError
from django.utils.functional import SimpleLazyObject, empty
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime import sessions
from realtime.database import is_outage
from realtime.exceptions import RateLimitedError, TooManyConnectionsError
from realtime.protocols.close_codes import CloseCode
from realtime.protocols.error_codes import ErrorCode
from realtime.sessions import LOG_IN_AGAIN
from realtime.transports.header_limits import too_large
from realtime.transports.http import HTTPHandler
from realtime.transports.refusal import RefusedError
from realtime.viewer import Viewer

UNKNOWN = RefusedError(
    401, LOG_IN_AGAIN, {"WWW-Authenticate": "Bearer"}, code=ErrorCode.UNAUTHENTICATED
)

UNAVAILABLE = RefusedError(503, "Try again later", {"Retry-After": "1"}, code=ErrorCode.UNAVAILABLE)

logger = logging.getLogger("realtime.authentication")


class ViewerMiddleware:
    """Puts `cookies`, `session`, `user` and `viewer` into the scope, and owns the viewer.

    Who gives no credentials costs nothing; a token that stands for nobody is refused.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._over_http = CookieMiddleware(self._serve_http)
        self._over_websocket = CookieMiddleware(self._serve_websocket)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if name := too_large(scope):
            if scope["type"] == "websocket":
                await _refuse_handshake(send)
            else:
                refusal = RefusedError(431, f"The header {name} is too large")
                await self._continue(refusal, scope, receive, send)
            return
        over = self._over_websocket if scope["type"] == "websocket" else self._over_http
        await over(scope, receive, send)

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = sessions.bearer(Headers(scope=scope).get("authorization"))
        if token is None:
            session = _Session(scope, send)
            await self._serve_by_cookie(session.scope, receive, session.send)
            return
        refusal = None
        try:
            if not await _anonymous(scope).identify(token):
                refusal = UNKNOWN
        except RateLimitedError as error:
            refusal = _too_early(error)
        except DatabaseError as error:
            refusal = _unless_it_is_away(error)
        await self._continue(refusal, scope, receive, send)

    async def _serve_by_cookie(self, scope: Scope, receive: Receive, send: Send) -> None:
        viewer = Viewer(scope, answers_with_cookie=True)
        refusal = None
        if sessions.is_key(scope["cookies"].get(settings.SESSION_COOKIE_NAME)):
            try:
                await viewer.identify_by_session()
            except RateLimitedError as error:
                refusal = _too_early(error)
            except DatabaseError as error:
                refusal = _unless_it_is_away(error)
        await self._continue(refusal, scope, receive, send)

    async def _continue(
        self, refusal: RefusedError | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Have the application serve a request, or refuse it, readable for the same pages."""
        if refusal is None:
            await self._app(scope, receive, send)
            return
        response: ASGIApp = refusal.response(Headers(scope=scope).get("accept"))
        handler = getattr(self._app, "http_handler", None)
        if isinstance(handler, HTTPHandler):
            response = handler.readable(response)
        await response(scope, receive, send)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        viewer = _anonymous(scope)
        viewer.hold()
        try:
            if await _is_identified(viewer, scope):
                async with viewer.connected(is_let_in=False):
                    await self._app(scope, receive, send)
                    return
        except (RateLimitedError, TooManyConnectionsError):
            pass
        finally:
            await viewer.release()
        await _refuse_handshake(send)


class _Session(InstanceSessionWrapper):  # type: ignore[misc]  # untyped
    """The session of one request by Channels, which is made when it is asked for."""

    def __init__(self, scope: Scope, send: Send) -> None:
        super().__init__(scope, send)
        if self.activated:  # else there is one around it, which saves its own
            key = scope["cookies"].get(self.cookie_name)
            self.scope["session"] = SimpleLazyObject(partial(sessions.opened, key))

    async def send(self, message: Message) -> None:
        """Send a message, with the cookie if the session was changed."""
        is_made = self.scope["session"]._wrapped is not empty or settings.SESSION_SAVE_EVERY_REQUEST
        if is_made and message["type"] in self.save_message_types:
            await super().send(message)
        else:
            await self.real_send(message)


async def _refuse_handshake(send: Send) -> None:
    # Before it is accepted: HTTP 403.
    await send({"type": "websocket.close", "code": int(CloseCode.FORBIDDEN)})


async def _is_identified(viewer: Viewer, scope: Scope) -> bool:
    """Have the viewer be whom a handshake says; return whether it may come in."""
    token = sessions.bearer(Headers(scope=scope).get("authorization"))
    cookie = scope["cookies"].get(settings.SESSION_COOKIE_NAME)
    try:
        is_known = await viewer.identify(cookie if token is None else token)
    except DatabaseError as error:
        _unless_it_is_away(error)
        return False
    return is_known or token is None  # a cookie may have outlived its session


def _too_early(error: RateLimitedError) -> RefusedError:
    return RefusedError.because(429, error, {"Retry-After": str(error.retry_after)})


def _unless_it_is_away(error: DatabaseError) -> RefusedError:
    """Return what a client is told while the database is away; raise what is another error."""
    if not is_outage(error):
        raise error
    logger.error("Nobody can be identified.", exc_info=error)
    return UNAVAILABLE


def _anonymous(scope: Scope) -> Viewer:
    scope["session"] = SimpleLazyObject(sessions.opened)
    return Viewer(scope, answers_with_cookie=False)
