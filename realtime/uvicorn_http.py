"""Uvicorn's HTTP with limits, whose connections are read in turn, and closed during a drain.

`manage.py serve` uses this; elsewhere `--http realtime.uvicorn_http:HTTP` does.
"""

from typing import Any
from weakref import WeakSet

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from realtime.arrivals import InTurn
from realtime.draining import is_draining, when_draining
from realtime.uvicorn_limits import Bounded


class HTTP(InTurn, Bounded, AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # the one that is installed
    """One connection."""

    app: ASGIApp

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _servers.add(self.server_state)
        if is_draining():
            self.drain()

    def drain(self) -> None:
        """Have the answer to the present request, and to any later one, bear `Connection: close`.

        A connection without a request stays open: a proxy may be sending one at this moment.
        """
        self.app = _closing(self.app)
        cycle = getattr(self, "cycle", None)
        if cycle is not None and not cycle.response_complete:
            self.shutdown()


_servers: WeakSet[Any] = WeakSet()
"""What Uvicorn's servers know of their connections."""


@when_draining
def _drain() -> None:
    for server in list(_servers):
        for connection in list(server.connections):
            if isinstance(connection, HTTP):
                connection.drain()


def _closing(app: ASGIApp) -> ASGIApp:
    async def closing(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"connection", b"close")]
                message = {**message, "headers": headers}
            await send(message)

        await app(scope, receive, send_closing)

    return closing
