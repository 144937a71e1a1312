"""The application without a server: one HTTP request, or one WebSocket, in this process."""

import json
from typing import Any

from channels.testing import HttpCommunicator, WebsocketCommunicator

from realtime.protocols import GraphQLTransportWS

SUBPROTOCOL = GraphQLTransportWS.SUBPROTOCOL

Payload = dict[str, Any]


async def post(
    application: Any, query: str, *, headers: dict[str, str] | None = None, **variables: Any
) -> tuple[Payload, dict[str, str]]:
    """POST an operation; return its result and the headers of the answer."""
    given = {"content-type": "application/json", "host": "127.0.0.1", **(headers or {})}
    communicator = HttpCommunicator(
        application,
        "POST",
        "/graphql/",
        body=json.dumps({"query": query, "variables": variables}).encode(),
        headers=[(name.encode(), value.encode()) for name, value in given.items()],
    )
    response = await communicator.get_response(timeout=10)
    answered = {name.decode().lower(): value.decode() for name, value in response["headers"]}
    result: Payload = json.loads(response["body"])
    return result, answered


class Socket:
    """A WebSocket that speaks JSON texts; close it at the end."""

    def __init__(
        self,
        application: Any,
        *,
        headers: dict[str, str] | None = None,
        subprotocols: list[str] | None = None,
    ) -> None:
        given = {"host": "127.0.0.1", **(headers or {})}
        self._communicator = WebsocketCommunicator(
            application,
            "/graphql/",
            headers=[(name.encode(), value.encode()) for name, value in given.items()],
            subprotocols=[SUBPROTOCOL] if subprotocols is None else subprotocols,
        )

    async def connect(self) -> tuple[bool, Any]:
        """Return whether the handshake was accepted, and the subprotocol or the close code."""
        accepted, detail = await self._communicator.connect(timeout=10)
        return accepted, detail

    async def open(self, payload: Payload | None = None) -> None:
        """Connect, and be acknowledged."""
        assert await self.connect() == (True, SUBPROTOCOL)
        await self.send({"type": "connection_init", "payload": payload})
        assert (await self.receive())["type"] == "connection_ack"

    async def subscribe(
        self,
        query: str,
        *,
        id: str = "1",
        confirm: bool = False,
        variables: Payload | None = None,
    ) -> None:
        """Start an operation; with `confirm` wait until it is live."""
        payload = {"query": query, "variables": variables, "extensions": {"confirm": confirm}}
        await self.send({"type": "subscribe", "id": id, "payload": payload})
        if confirm:
            payload = (await self.receive())["payload"]
            assert payload["data"] is None
            assert payload["extensions"]["subscribed"] is True

    async def send(self, message: Any) -> None:
        await self._communicator.send_to(text_data=json.dumps(message))

    async def receive(self) -> Payload:
        """Return the next message, which must come in time."""
        output = await self._communicator.receive_output(timeout=10)
        assert output["type"] == "websocket.send", output
        message: Payload = json.loads(output["text"])
        return message

    async def closed(self) -> tuple[int, str]:
        """Return how the server closed, which it must do next."""
        output = await self._communicator.receive_output(timeout=10)
        assert output["type"] == "websocket.close", output
        return output["code"], output.get("reason", "")

    async def nothing(self) -> bool:
        """Tell whether nothing comes for a moment."""
        quiet: bool = await self._communicator.receive_nothing()
        return quiet

    async def disconnect(self) -> None:
        """Go away, and wait until the server is done with this connection."""
        await self._communicator.disconnect(timeout=10)
