"""A POST into an ASGI application of the same process."""

from collections.abc import Callable
from typing import Any

_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/graphql/",
    "raw_path": b"/graphql/",
    "root_path": "",
    "query_string": b"",
    "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}


async def post(application: Callable[..., Any], body: bytes) -> bytes:
    """Return the body of the answer."""
    answer = bytearray()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        answer.extend(message.get("body", b""))

    await application({**_SCOPE}, receive, send)
    return bytes(answer)
