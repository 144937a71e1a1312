"""The headers that tell browsers what our answers may do, on every answer alike.

Django's middleware gives some of them to Django's pages alone. So these stand around all:
Django, static files, GraphQL, and what is refused before it comes to either.
"""

from collections.abc import Mapping

from django.conf import settings
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Policy = Mapping[str, str]

PAGES: Policy = {
    "default-src": "'none'",
    "connect-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    # These do not fall back to the first.
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
"""The content-security policy of our pages, the admin's among them."""

GRAPHIQL: Policy = {
    **PAGES,
    "font-src": "'self' data:",  # the editor's icons are in its stylesheet
    "img-src": "'self' data:",
    # Its editor, Monaco, places what it shows by style attributes, and writes its themes into
    # <style> elements, for which it takes no nonce.
    "style-src": "'self' 'unsafe-inline'",
    "worker-src": "'self'",
}
"""That of GraphiQL."""


class SecurityHeaders:
    """Adds to an answer what it does not say for itself."""

    def __init__(self, app: ASGIApp, policy: Policy = PAGES) -> None:
        self._app = app
        texts = {
            "content-security-policy": "; ".join(f"{name} {policy[name]}" for name in policy),
            "cross-origin-opener-policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
            "referrer-policy": settings.SECURE_REFERRER_POLICY,
            "x-content-type-options": "nosniff",
            "x-frame-options": settings.X_FRAME_OPTIONS,
        }
        self._headers = [(name.encode(), text.encode()) for name, text in texts.items()]
        self._by_tls = [*self._headers, *_strict_transport_security()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wanted = self._by_tls if scope.get("scheme") == "https" else self._headers

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                if settings.DEBUG and message["status"] >= 400:
                    # Django's pages that show a traceback have styles and scripts in them.
                    names.add(b"content-security-policy")
                message["headers"] = given + [header for header in wanted if header[0] not in names]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _strict_transport_security() -> list[tuple[bytes, bytes]]:
    if not settings.SECURE_HSTS_SECONDS:
        return []
    text = f"max-age={settings.SECURE_HSTS_SECONDS}"
    if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS:
        text += "; includeSubDomains"
    if settings.SECURE_HSTS_PRELOAD:
        text += "; preload"
    return [(b"strict-transport-security", text.encode())]
