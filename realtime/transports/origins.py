"""Origins of pages: which are our own, which are allowed, and the CORS headers for these."""

import logging
import re
from collections.abc import Collection, MutableMapping
from functools import lru_cache
from ipaddress import IPv6Address
from time import monotonic
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("realtime.origins")

MAX_REPORTED = 100
"""Refused origins that are logged in an hour, once each: a client sends whatever it likes."""

MAX_SHOWN = 200
"""Characters of an origin that are logged."""

MAX_ORIGIN = 500
"""Characters of what may be an origin; a host name has 253 at most."""

DEFAULT_PORTS = {"http": 80, "https": 443}

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#@:\[\]\\]+)(?::(?P<port>\d{0,5}))?",
    re.IGNORECASE,
)


def normalized(origin: str) -> str | None:
    """Return an origin as browsers write it, None if it is not an origin.

    That is in lower case, without the default port, and with a host name in ASCII (IDNA).
    """
    return _normalized(origin) if len(origin) <= MAX_ORIGIN else None


@lru_cache(maxsize=256)  # clients choose what they send, so few are kept
def _normalized(origin: str) -> str | None:
    if (match := _ORIGIN.fullmatch(origin)) is None:
        return None
    scheme, host, port = match["scheme"].lower(), match["host"].lower(), int(match["port"] or 0)
    try:
        if host.startswith("["):
            host = f"[{IPv6Address(host[1:-1])}]"
        elif not host.isascii():
            host = host.encode("idna").decode()
    except ValueError:
        return None
    if not port or port == DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{port}" if port < 2**16 else None


def own_origin(scope: MutableMapping[str, Any]) -> str | None:
    """Return the origin of the server itself, as the request names it."""
    scheme = "https" if scope.get("scheme") in {"https", "wss"} else "http"
    return normalized(f"{scheme}://{Headers(scope=scope).get('host', '')}")


class Origins:
    """The foreign origins whose pages may use the server, with the user's cookies.

    Each is scheme, host and port, as `https://app.example.org`. `setting` is the name that
    the log gives to where they are listed. Raises ValueError for what is not an origin.
    """

    def __init__(self, allowed: Collection[str] = (), *, setting: str = "allowed_origins") -> None:
        self._setting = setting
        self._allowed = frozenset(normalized(origin) for origin in allowed)
        if None in self._allowed:
            wrong = next(origin for origin in allowed if normalized(origin) is None)
            raise ValueError(
                f"{setting} has {wrong!r}: give a list of origins, each with scheme, host and "
                "port alone, as https://app.example.org"
            )
        self._reported: set[str] = set()
        self._reported_since = monotonic()

    @classmethod
    def of(cls, allowed: "Collection[str] | Origins") -> "Origins":
        """Return what is given, as Origins."""
        return allowed if isinstance(allowed, Origins) else cls(allowed)

    def allows(self, origin: str) -> bool:
        """Tell whether an origin is among those that are allowed."""
        return normalized(origin) in self._allowed

    def admits(self, origin: str, scope: MutableMapping[str, Any]) -> bool:
        """Tell whether an origin is allowed, or is the server's own."""
        given = normalized(origin)
        return given is not None and (given in self._allowed or given == own_origin(scope))

    def report(self, origin: str) -> None:
        """Log that an origin is refused, once."""
        if monotonic() - self._reported_since > 3600:
            self._reported.clear()
            self._reported_since = monotonic()
        shown = origin[:MAX_SHOWN]
        if shown not in self._reported and len(self._reported) < MAX_REPORTED:
            self._reported.add(shown)
            logger.warning(
                "Origin %r is refused: list it in %s if its pages may use this server.",
                shown,
                self._setting,
            )


class CrossOrigin(CORSMiddleware):
    """Answers preflights, and tells browsers that pages of allowed origins may read an answer.

    An allowed origin may send any header: it may do all that the user may.
    What the application answers says `Vary: Origin` itself.
    """

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        super().__init__(
            app,
            allow_credentials=True,
            allow_headers=["*"],
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            expose_headers=["Retry-After"],
        )
        self._origins = origins

    def is_allowed_origin(self, origin: str) -> bool:
        """Tell whether pages of an origin may read our answers."""
        return self._origins.allows(origin)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks what a page may send."""
        origin = request_headers["origin"]
        if not self._origins.allows(origin):
            self._origins.report(origin)
        return super().preflight_response(request_headers)

    async def simple_response(
        self, scope: Scope, receive: Receive, send: Send, request_headers: Headers
    ) -> None:
        """Have the application answer any other request."""
        origin = request_headers.get("origin")
        if origin is None:
            await self.app(scope, receive, send)
            return
        if not self._origins.allows(origin):
            if not self._origins.admits(origin, scope):
                self._origins.report(origin)
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self.simple_headers)
                headers["Access-Control-Allow-Origin"] = origin
            await send(message)

        await self.app(scope, receive, send_with_headers)
