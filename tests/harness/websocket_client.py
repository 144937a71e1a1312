"""A GraphQL client that speaks graphql-transport-ws."""

import asyncio
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from tests.harness.http_client import Payload, graphql_request

SUBPROTOCOL = "graphql-transport-ws"

# A test that leaves so many results unread is wrong: the overflow ends the reader with a `Fault`.
_INBOX_LIMIT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The payload of one `next` message."""

    payload: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """The server ended the operation with an `error` message."""

    errors: list[Payload]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The server ended the operation with a `complete` message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The connection ended; the code is 1006 where no close frame came."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The server sent what the protocol does not allow."""

    detail: str


End = Errors | Completed | Closed | Fault


class UnexpectedError(AssertionError):
    """Something else came than the test expected; `came` tells what."""

    def __init__(self, came: Result | End, expected: str) -> None:
        super().__init__(f"expected {expected}, but there came {came}")
        self.came = came


class Subscription:
    """One operation on a socket, of any kind: its results in order, then its end.

    `cursor` is that of the last result; the results are returned without.
    """

    def __init__(self, socket: "GraphQLSocket", operation_id: str) -> None:
        self.id = operation_id
        self.cursor: str | None = None
        self._socket = socket
        self._inbox: asyncio.Queue[Result | End] = asyncio.Queue(_INBOX_LIMIT)
        self._end: End | None = None

    async def next(self, timeout: float = 5, *, what: str = "a result") -> Payload:
        """Return the next result; raises UnexpectedError when an end comes instead."""
        came = await self.expect(what, timeout)
        if not isinstance(came, Result):
            raise UnexpectedError(came, what)
        payload = dict(came.payload)
        extensions = dict(payload.pop("extensions", {}))
        self.cursor = extensions.pop("cursor", self.cursor)
        return {**payload, "extensions": extensions} if extensions else payload

    async def completed(self, timeout: float = 5) -> None:
        """Wait until the server completes; raises UnexpectedError when something else comes."""
        came = await self.expect("the completion", timeout)
        if not isinstance(came, Completed):
            raise UnexpectedError(came, "the completion")

    async def nothing(self, seconds: float) -> None:
        """Assert that neither a result nor an end comes for so long."""
        try:
            came = await self._take(seconds)
        except TimeoutError:
            return
        raise UnexpectedError(came, f"nothing for {seconds} s")

    async def expect(self, what: str, timeout: float) -> Result | End:
        """Return what comes next; raises a plain AssertionError when nothing comes in time."""
        try:
            return await self._take(timeout)
        except TimeoutError:
            raise AssertionError(f"expected {what}, but none came within {timeout} s") from None

    async def complete(self) -> None:
        """Tell the server to end the operation; results that were on their way still arrive."""
        await self._socket.send({"type": "complete", "id": self.id})

    def deliver(self, came: Result | End) -> None:
        """Hand over what the socket has received for this operation."""
        self._inbox.put_nowait(came)

    async def _take(self, timeout: float) -> Result | End:
        if self._end is not None:
            return self._end
        async with asyncio.timeout(timeout):
            came = await self._inbox.get()
        if not isinstance(came, Result):
            self._end = came
        return came


class GraphQLSocket:
    """A connection that speaks graphql-transport-ws, acknowledged on entry of its context.

    A refused handshake raises the library's InvalidStatus, a refused init UnexpectedError.
    A fault of the server's fails the test when the context ends, unless it fails already.
    """

    def __init__(
        self,
        url: str,
        *,
        origin: str | None = None,
        headers: Mapping[str, str] | None = None,
        init_payload: Payload | None = None,
    ) -> None:
        self._url = url
        self._origin = None if origin is None else Origin(origin)
        self._headers = headers
        self._init_payload = init_payload
        self._ids = itertools.count(1)
        self._operations: dict[str, Subscription] = {}
        self._end: Closed | Fault | None = None
        self._connection: ClientConnection
        self._reader: asyncio.Task[None]
        self._ack: asyncio.Future[Payload | None]

    @property
    def ack_payload(self) -> Payload | None:
        """The payload of the server's `connection_ack`."""
        return self._ack.result()

    async def execute(
        self,
        query: str,
        variables: Payload | None = None,
        operation_name: str | None = None,
        *,
        timeout: float = 10,
    ) -> Payload:
        """Run an operation that has one result, and return it once the server has completed."""
        operation = await self.subscribe(query, variables, operation_name)
        payload = await operation.next(timeout)
        await operation.completed(timeout)
        return payload

    async def live(
        self,
        query: str,
        variables: Payload | None = None,
        operation_name: str | None = None,
        *,
        timeout: float = 5,
    ) -> Subscription:
        """Return a subscription that the server has confirmed: it sees every later event."""
        confirm = {"confirm": True}
        operation = await self.subscribe(query, variables, operation_name, extensions=confirm)
        came = await operation.next(timeout, what="the confirmation")
        # Sent once every later event will reach the subscription.
        if came != {"data": None, "extensions": {"subscribed": True}}:
            raise UnexpectedError(Result(payload=came), "the confirmation")
        return operation

    async def subscribe(
        self,
        query: str,
        variables: Payload | None = None,
        operation_name: str | None = None,
        *,
        extensions: Payload | None = None,
    ) -> Subscription:
        """Send the operation and return it at once, before the server has begun it."""
        operation = Subscription(self, str(next(self._ids)))
        self._operations[operation.id] = operation
        request = graphql_request(query, variables, operation_name, extensions)
        await self.send({"type": "subscribe", "id": operation.id, "payload": request})
        return operation

    async def send(self, message: Payload) -> None:
        """Send one message as it is; raises UnexpectedError once the connection has ended."""
        try:
            await self._connection.send(json.dumps(message))
        except ConnectionClosed:
            raise UnexpectedError(await self._ended(), "an open connection") from None

    async def closed(self, timeout: float = 5) -> Closed:
        """Wait until the connection has ended, and return how."""
        try:
            async with asyncio.timeout(timeout):
                end = await self._ended()
        except TimeoutError:
            raise AssertionError(f"expected a close, but none came within {timeout} s") from None
        if isinstance(end, Fault):
            raise UnexpectedError(end, "a close")
        return end

    async def __aenter__(self) -> Self:
        # Without a proxy: the machine's must not stand between a test and its server.
        self._connection = await connect(
            self._url,
            origin=self._origin,
            additional_headers=self._headers,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            proxy=None,
        )
        self._ack = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(), name="GraphQLSocket reader")
        try:
            await self._initialise()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *details: object) -> None:
        await self._close()
        if kind is None and isinstance(self._end, Fault):
            raise UnexpectedError(self._end, "no fault of the server's")

    async def _initialise(self) -> None:
        init: Payload = {"type": "connection_init"}
        if self._init_payload is not None:
            init["payload"] = self._init_payload
        await self.send(init)
        either: set[asyncio.Future[Any]] = {self._ack, self._reader}
        await asyncio.wait(either, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        if not self._ack.done():
            if self._end is None:
                raise AssertionError("expected connection_ack, but nothing came within 10 s")
            raise UnexpectedError(self._end, "connection_ack")

    async def _close(self) -> None:
        try:
            await self._connection.close()
            await asyncio.wait({self._reader})
        finally:
            self._reader.cancel()
            await asyncio.wait({self._reader})

    async def _ended(self) -> Closed | Fault:
        await asyncio.wait({self._reader})
        return self._end or Fault(detail="the reader was cancelled")

    async def _read(self) -> None:
        try:
            while True:
                await self._receive(await self._connection.recv())
        except ConnectionClosed as closed:
            frame = closed.rcvd
            code, reason = (1006, "") if frame is None else (frame.code, frame.reason)
            self._end = Closed(code=code, reason=reason)
        except Exception as error:
            # It must reach the tests that wait, rather than stay in this task.
            self._end = Fault(detail=f"{type(error).__name__}: {error}")
        for operation in self._operations.values():
            operation.deliver(self._end)

    async def _receive(self, text: str | bytes) -> None:
        message: Payload = json.loads(text)
        operation = self._operations.get(message.get("id", ""))
        match message:
            case {"type": "connection_ack"}:
                self._ack.set_result(message.get("payload"))
            case {"type": "ping"}:
                await self._connection.send(json.dumps({"type": "pong"}))
            case {"type": "pong"}:
                pass
            case {"type": "next", "payload": dict(payload)} if operation:
                operation.deliver(Result(payload=payload))
            case {"type": "error", "payload": list(errors)} if operation:
                self._operations.pop(operation.id).deliver(Errors(errors=errors))
            case {"type": "complete"} if operation:
                self._operations.pop(operation.id).deliver(Completed())
            case _:
                raise ValueError(f"no such message is allowed now: {text!r}")
