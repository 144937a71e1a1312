"""A WebSocket into an ASGI application, without a server: messages as they are."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import datetime, time
from typing import Any, Self, TypeVar

from channels.routing import get_default_application
from channels.testing import WebsocketCommunicator
from django.core.serializers.json import DjangoJSONEncoder

from realtime.protocols import GraphQLTransportWS
from realtime.testing.errors import ConnectionClosedError

T = TypeVar("T")

Application = Callable[..., Awaitable[None]]
"""An ASGI application."""

Message = dict[str, Any]

HOST = "testserver"
"""What Django admits in tests beside ALLOWED_HOSTS."""

NORMAL = 1000

ABNORMAL = 1006
"""The close code of a connection that broke without a close (RFC 6455, section 7.4.1)."""


class Socket:
    """For tests of a protocol: JSON messages, one by one. GraphQLClient is for those of fields.

    As a context it connects, and leaves at the end. `timeout` is in seconds, None for no
    limit. An exception of the application's reaches the test wherever it uses the socket.
    """

    def __init__(
        self,
        application: Application | None = None,
        *,
        path: str = "/graphql/",
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (GraphQLTransportWS.SUBPROTOCOL,),
        timeout: float | None = 5.0,
    ) -> None:
        given = {"host": HOST, **{name.lower(): text for name, text in (headers or {}).items()}}
        if "cookie" in given:  # as browsers do, and as servers ask of who bears cookies
            given.setdefault("origin", f"http://{given['host']}")
        self._timeout = timeout
        self._close: tuple[int, str] | None = None
        self._communicator = WebsocketCommunicator(
            _announcing_its_end(application or get_default_application()),
            path,
            headers=[(name.encode(), value.encode()) for name, value in given.items()],
            subprotocols=list(subprotocols),
        )

    async def connect(self) -> str | None:
        """Return the subprotocol of the accepted handshake, else raise ConnectionClosedError."""
        await self._communicator.send_input({"type": "websocket.connect"})
        accepted = await in_time(self._output(), self._timeout, "The answer to the handshake")
        subprotocol: str | None = accepted.get("subprotocol")
        return subprotocol

    async def send(self, message: Any) -> None:
        """Send texts and bytes as they are, and anything else as JSON.

        In it UUIDs, dates, times, durations and Decimals are texts.
        """
        if isinstance(message, bytes):
            frame: dict[str, Any] = {"bytes": message}
        else:
            text = message if isinstance(message, str) else json.dumps(message, cls=_Encoder)
            frame = {"text": text}
        await self._communicator.send_input({"type": "websocket.receive", **frame})

    async def receive(self) -> Message:
        """Return the next message, which must come in time. Raises ConnectionClosedError."""
        return await in_time(anext(self), self._timeout, "A message")

    async def closed(self) -> tuple[int, str]:
        """Return the code and the reason of the close, which must be what comes next."""
        try:
            message = await in_time(anext(self), self._timeout, "The close")
        except ConnectionClosedError as error:
            return error.code, error.reason
        raise AssertionError(f"Expected the close, but there came {message}")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        """Wait for the next message, without a limit. Raises ConnectionClosedError."""
        output = await self._output()
        message: Message = json.loads(output["text"])
        return message

    async def leave(self, code: int = NORMAL) -> None:
        """Go away, and wait until the application is done with this connection. Idempotent."""
        await self._communicator.send_input({"type": "websocket.disconnect", "code": code})
        await self._ended()

    async def cut_off(self) -> None:
        """Go away as a broken network does, without a close."""
        await self.leave(ABNORMAL)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def _ended(self) -> None:
        """Wait for the application's end, and raise what it has raised."""
        running: asyncio.Task[None] = self._communicator.future
        done, _ = await asyncio.wait({running}, timeout=self._timeout)
        if not done:
            running.cancel()
            await asyncio.wait({running})
            raise TimeoutError(f"The application's end did not come within {self._timeout} s")
        running.result()

    async def _output(self) -> MutableMapping[str, Any]:
        if self._close is None:
            output: MutableMapping[str, Any] = await self._communicator.output_queue.get()
            match output["type"]:
                case "websocket.close":
                    self._close = output.get("code", NORMAL), output.get("reason") or ""
                case "websocket.ended":
                    self._close = ABNORMAL, ""
                    await self._ended()
                case _:
                    return output
        raise ConnectionClosedError(*self._close)


class _Encoder(DjangoJSONEncoder):
    """As Django's, which cuts off microseconds, but exact."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, datetime | time) else super().default(o)


def _announcing_its_end(application: Application) -> Application:
    """Let who waits for the next message learn that none will come."""

    async def run(scope: Any, receive: Any, send: Any) -> None:
        try:
            await application(scope, receive, send)
        finally:
            await send({"type": "websocket.ended"})

    return run


async def in_time(awaitable: Awaitable[T], seconds: float | None, what: str) -> T:
    """Return what comes within so many seconds, else raise a TimeoutError that names it."""
    try:
        async with asyncio.timeout(seconds):
            return await awaitable
    except TimeoutError as error:
        raise TimeoutError(f"{what} did not come within {seconds} s") from error
