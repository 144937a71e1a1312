"""A server whose frames can be written without awaiting, as `manage.py serve` is one."""

import asyncio
from typing import Any

import pytest

from realtime.extensions import WRITER, Writer

WAYS = ("awaited", "written")
"""How a server takes frames: each way for the tests of what is sent to whom."""


class _Writer:
    """Writes what `send` takes at once."""

    def __init__(self, send: Any, before: str = "", after: str = "") -> None:
        self._send = send
        self._before, self._after = before, after

    def around(self, before: str, after: str) -> Writer:
        return _Writer(self._send, before, after)

    def write(self, text: str) -> bool:
        text = self._before + text + self._after
        sending = self._send({"type": "websocket.send", "text": text})
        try:
            sending.send(None)
        except StopIteration:
            return True
        except asyncio.CancelledError:
            return False
        sending.close()
        return False


def as_served(application: Any, way: str) -> Any:
    """Return the application as a server would run it that takes frames in this way."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if way == "written" and scope["type"] == "websocket":
            scope = {**scope, "extensions": {**scope.get("extensions", {}), WRITER: _Writer(send)}}
        await application(scope, receive, send)

    return served


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Run a test for each."""
    way: str = request.param
    return way
