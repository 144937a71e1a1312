"""An HTTP response that stays open, in process."""

import json
from typing import Any

from channels.testing import ApplicationCommunicator

TIMEOUT = 10


class HttpStream:
    """One request, whose answer is read chunk by chunk; leave it at the end."""

    def __init__(
        self,
        application: Any,
        method: str = "POST",
        *,
        query_string: str = "",
        body: Any = None,
        accept: str | None = None,
        **headers: str,
    ) -> None:
        given = {"host": "127.0.0.1", **headers}
        if accept is not None:
            given["accept"] = accept
        if body is not None:
            given["content_type"] = "application/json"
        self._body = b"" if body is None else json.dumps(body).encode()
        self._communicator = ApplicationCommunicator(
            application,
            {
                "type": "http",
                "http_version": "1.1",
                "method": method,
                "path": "/graphql/",
                "raw_path": b"/graphql/",
                "root_path": "",
                "query_string": query_string.encode(),
                "headers": [
                    (name.replace("_", "-").encode(), value.encode())
                    for name, value in given.items()
                ],
                "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 80),
            },
        )
        self._ended = False
        self.status = 0
        self.headers: dict[str, str] = {}

    async def send(self) -> None:
        """Send the request."""
        await self._communicator.send_input({"type": "http.request", "body": self._body})

    async def open(self) -> int:
        """Send the request, and return the status of the answer."""
        await self.send()
        start = await self._communicator.receive_output(timeout=TIMEOUT)
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return self.status

    async def chunk(self) -> str:
        """Return the next chunk of the body."""
        output = await self._communicator.receive_output(timeout=TIMEOUT)
        self._ended = not output.get("more_body")
        chunk: str = output["body"].decode()
        return chunk

    async def rest(self) -> str:
        """Return the body from here to its end."""
        text = ""
        while not self._ended:
            text += await self.chunk()
        return text

    async def ended(self) -> None:
        """Wait until the server is done with this request by itself."""
        await self._communicator.wait(timeout=TIMEOUT)

    async def leave(self) -> None:
        """Go away, and wait until the server is done with this request."""
        await self._communicator.send_input({"type": "http.disconnect"})
        await self._communicator.wait(timeout=TIMEOUT)


async def answer(application: Any, method: str, **request: Any) -> tuple[int, str]:
    """Return the status and the body of one request."""
    stream = HttpStream(application, method, **request)
    status = await stream.open()
    body = await stream.rest()
    await stream.leave()
    return status, body
