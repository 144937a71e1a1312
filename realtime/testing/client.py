"""A GraphQL client over a WebSocket into an ASGI application, without a server."""

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import Any, NamedTuple, Self

from realtime.protocols import GraphQLTransportWS, SubscriptionsTransportWS
from realtime.testing.errors import CompletedError, ConnectionClosedError, OperationError
from realtime.testing.socket import ABNORMAL, NORMAL, Application, Message, Socket, in_time
from realtime.testing.subscription import Data, Subscription


class _Dialect(NamedTuple):
    """What the messages of a subprotocol are called."""

    start: str
    result: str
    stop: str


_DIALECTS = {
    GraphQLTransportWS.SUBPROTOCOL: _Dialect("subscribe", "next", "complete"),
    SubscriptionsTransportWS.SUBPROTOCOL: _Dialect("start", "data", "stop"),
}


class GraphQLClient:
    """Runs operations, several at once, and answers pings, on one connection at a time.

    As a context it connects and leaves at the end. The application is that of
    `settings.ASGI_APPLICATION` unless another is given; `payload` is that of
    `connection_init`; `timeout` is in seconds, for each thing that is awaited.
    """

    def __init__(
        self,
        application: Application | None = None,
        *,
        path: str = "/graphql/",
        headers: Mapping[str, str] | None = None,
        subprotocol: str = GraphQLTransportWS.SUBPROTOCOL,
        payload: Mapping[str, Any] | None = None,
        timeout: float = 5.0,
    ) -> None:
        self.acknowledgement: Message | None = None
        """The payload of the server's `connection_ack`."""
        self._application = application
        self._path = path
        self._headers = headers
        self._subprotocol = subprotocol
        self._dialect = _DIALECTS[subprotocol]
        self._payload = payload
        self._timeout = timeout
        self._ids = count(1)
        self._operations: dict[str, Subscription] = {}
        self._stopped: set[str] = set()
        self._socket: Socket | None = None
        self._reader: asyncio.Task[Exception] | None = None

    async def connect(self) -> None:
        """Connect and be let in. Raises ConnectionClosedError."""
        if self._socket is not None:
            raise RuntimeError("The client is connected")
        self._operations, self._stopped = {}, set()
        self._socket = Socket(
            self._application,
            path=self._path,
            headers=self._headers,
            subprotocols=[self._subprotocol],
            timeout=self._timeout,
        )
        try:
            await self._socket.connect()
            await self._socket.send({"type": "connection_init", "payload": self._payload})
            self.acknowledgement = await in_time(
                self._acknowledged(self._socket), self._timeout, "connection_ack"
            )
        except BaseException:
            await self.leave()
            raise
        self._reader = asyncio.create_task(self._read(self._socket), name="GraphQLClient reader")

    async def query(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        operation_name: str | None = None,
    ) -> Data:
        """Return the data of an operation that has one result. Raises OperationError."""
        operation = self._operation(query, variables, operation_name, {})
        await operation.start()
        data = await operation.receive()
        await operation.completed()
        return data

    async def mutate(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        operation_name: str | None = None,
    ) -> Data:
        """Return the data of a mutation. Raises OperationError."""
        return await self.query(query, variables, operation_name=operation_name)

    async def subscribe(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        operation_name: str | None = None,
        after: str | None = None,
        confirm: bool = True,
    ) -> Subscription:
        """Return a subscription that is live: every later event will reach it.

        With `after`, a cursor, also those since then. `confirm=False` does not wait, as
        it must be for servers other than ours. Raises OperationError.
        """
        extensions: Message = {"confirm": True} if confirm else {}
        if after is not None:
            extensions["after"] = after
        subscription = self._operation(query, variables, operation_name, extensions)
        await subscription.start()
        return subscription

    async def send(self, message: Any) -> None:
        """Send a message as it is; its answers come as any others. `Socket` shows them raw."""
        if self._socket is None:
            raise RuntimeError("The client is not connected")
        await self._socket.send(message)

    async def closed(self) -> tuple[int, str]:
        """Wait for the server to close; return the code and the reason."""
        if self._reader is None:
            raise RuntimeError("The client is not connected")
        end = await in_time(asyncio.shield(self._reader), self._timeout, "The close")
        if not isinstance(end, ConnectionClosedError):
            raise end
        return end.code, end.reason

    async def cut_off(self) -> None:
        """Go away without a close, as a broken network does: what was not received is lost."""
        await self._leave(ABNORMAL)
        for operation in self._operations.values():
            operation.lose()

    async def leave(self) -> None:
        """Close the connection; the application is done with it then. Idempotent.

        Raises an AssertionError if the server has sent what the protocol does not allow.
        """
        await self._leave(NORMAL)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def _leave(self, code: int) -> None:
        socket, self._socket = self._socket, None
        reader, self._reader = self._reader, None
        if socket is None:
            return
        end = None
        try:
            await socket.leave(code)
        finally:
            if reader is not None:
                end = await reader
        if end is not None and not isinstance(end, ConnectionClosedError):
            raise end

    def _operation(
        self,
        query: str,
        variables: Mapping[str, Any] | None,
        operation_name: str | None,
        extensions: Message,
    ) -> Subscription:
        payload: Message = {"query": query, "extensions": extensions}
        if variables is not None:
            payload["variables"] = dict(variables)
        if operation_name is not None:
            payload["operationName"] = operation_name
        return Subscription(payload, begin=self._begin, stop=self._stop, timeout=self._timeout)

    async def _begin(self, operation: Subscription, payload: Message) -> str:
        if self._reader is not None and self._reader.done():
            raise self._reader.result()
        id = str(next(self._ids))
        self._operations[id] = operation
        await self.send({"id": id, "type": self._dialect.start, "payload": payload})
        return id

    async def _stop(self, id: str) -> None:
        del self._operations[id]
        self._stopped.add(id)
        await self.send({"id": id, "type": self._dialect.stop})

    async def _acknowledged(self, socket: Socket) -> Message | None:
        async for message in socket:
            match message:
                case {"type": "connection_ack"}:
                    return message.get("payload")
                case {"type": "connection_error"}:
                    pass  # the close comes next
                case _:
                    await self._take(socket, message)
        raise AssertionError("A socket ends with an exception")

    async def _read(self, socket: Socket) -> Exception:
        """Hand out what comes until the connection ends; return how it did."""
        end: Exception
        try:
            async for message in socket:
                await self._take(socket, message)
        except Exception as error:
            end = error
        for operation in self._operations.values():
            operation.end(end)
        return end

    async def _take(self, socket: Socket, message: Message) -> None:
        match message:
            case {"type": "ping"}:
                await socket.send({**message, "type": "pong"})
            case {"type": "pong" | "ka"}:
                pass
            case {"id": id} if id in self._stopped:
                pass  # on its way before
            case {"id": id, "type": str(kind)} if id in self._operations:
                self._operations[id].deliver(self._meaning(kind, message))
            case _:
                raise AssertionError(f"The server sent what the protocol has not: {message}")

    def _meaning(self, kind: str, message: Message) -> Message | Exception:
        match kind, message.get("payload"):
            case self._dialect.result, dict(payload):
                return payload
            case "error", list(errors):
                return OperationError(errors)
            case "error", dict(error):
                return OperationError([error])
            case "complete", None:
                return CompletedError("The operation is complete")
        raise AssertionError(f"The server sent what the protocol has not: {message}")
