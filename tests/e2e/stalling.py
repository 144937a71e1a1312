"""A client that stops to read, and who writes to it."""

import asyncio
from datetime import datetime
from typing import Any

from tests.faults.websocket import Socket, connect

PADDING = "·" * 4_000
"""8 KB on the wire."""

QUERY = 'subscription { messages(userId: "1") { content } }'
HUNGRY = QUERY.replace("content", " ".join(["content", *(f"c{n}: content" for n in range(50))]))
"""What the client asks for: 400 KB a message, since the kernel takes up to 4 MB for it."""

SEND = """mutation Send($content: String!) {
    createMessage(senderId: "1", recipientId: "1", content: $content) { message { createdAt } } }"""


class Writer:
    """Sends messages with the numbers 0, 1, 2 … to the inbox that all follow."""

    def __init__(self) -> None:
        self.times: list[float] = []
        """When each was written, just before its commit: seconds of the wall clock."""
        self._results: asyncio.Queue[Any] = asyncio.Queue()
        self._socket: Socket

    async def join(self, port: int) -> None:
        self._socket = await connect(port, self._receive)
        await self._results.get()
        await self._ask('mutation { createUser(username: "one") { success } }')

    async def leave(self) -> None:
        self._socket.cut()
        await self._socket.closed

    async def write(self) -> None:
        data = await self._ask(SEND, {"content": f"{len(self.times)} {PADDING}"})
        created_at = data["createMessage"]["message"]["createdAt"]
        self.times.append(datetime.fromisoformat(created_at).timestamp())

    async def _ask(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        payload = {"query": query, "variables": variables}
        self._socket.send({"type": "subscribe", "id": "1", "payload": payload})
        async with asyncio.timeout(10):
            result = await self._results.get()
        return result["data"]

    def _receive(self, socket: Socket, message: dict[str, Any]) -> None:
        match message["type"]:
            case "connection_ack" | "next":
                self._results.put_nowait(message.get("payload"))
            case "ping":
                socket.send({"type": "pong"})


class StallingClient:
    """The client that stops to read: what it has received, over all its connections."""

    def __init__(self, port: int) -> None:
        self.received: list[int] = []
        self.codes: list[int] = []
        """With which its connections were closed."""
        self._port = port
        self._cursor: str | None = None
        self._socket: Socket
        self._live: asyncio.Future[None]
        self._stalls: asyncio.Future[None] | None = None

    async def subscribe(self) -> None:
        """Subscribe, or resume."""
        self._live = asyncio.get_running_loop().create_future()
        self._socket = await connect(self._port, self._receive)
        await self._live

    async def leave(self) -> None:
        self._socket.cut()
        await self._socket.closed

    async def stall(self) -> None:
        """Answer a ping, and read no more: the next ping shall find the buffers full."""
        self._stalls = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(10):
            await self._stalls

    async def read_to_the_end(self) -> None:
        """Read again, until the server closes."""
        self._socket.go_on()
        async with asyncio.timeout(10):
            self.codes.append(await self._socket.closed)

    def _receive(self, socket: Socket, message: dict[str, Any]) -> None:
        match message:
            case {"type": "connection_ack"}:
                extensions = {"confirm": True, "after": self._cursor}
                payload = {"query": HUNGRY, "extensions": extensions}
                socket.send({"type": "subscribe", "id": "1", "payload": payload})
            case {"type": "next", "payload": {"data": data, "extensions": extensions}}:
                self._cursor = extensions["cursor"]
                if extensions.get("subscribed"):
                    self._live.set_result(None)
                else:
                    self.received.append(int(data["messages"]["content"].partition(" ")[0]))
            case {"type": "ping"}:
                socket.send({"type": "pong"})
                if self._stalls is not None:
                    socket.stall()
                    self._stalls.set_result(None)
                    self._stalls = None
            case _:
                raise AssertionError(message)
