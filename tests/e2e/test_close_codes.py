"""Every close code, from the real servers: their libraries have opinions of their own."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.harness.server import ServerProcess
from tests.harness.websocket_client import SUBPROTOCOL

INIT = {"type": "connection_init"}
COUNT = {"type": "subscribe", "id": "1", "payload": {"query": "subscription { count(target: 9) }"}}


async def close_of(url: str, *messages: Any, subprotocol: str = SUBPROTOCOL) -> tuple[int, str]:
    """Return how the server closes a connection that sends these."""
    async with connect(url, subprotocols=[Subprotocol(subprotocol)], proxy=None) as socket:
        for message in messages:
            await socket.send(message if isinstance(message, bytes) else json.dumps(message))
        with pytest.raises(ConnectionClosed) as caught:
            async with asyncio.timeout(10):
                while True:
                    await socket.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def sent(reason: str, server: ServerProcess) -> str:
    """Return what a server sends of a reason: Daphne sends codes alone."""
    return "" if server.kind == "daphne" else reason


@pytest.mark.parametrize(
    ("messages", "close"),
    [
        ([INIT, "text"], (4400, "Message is not a JSON object")),
        ([INIT, b"{}"], (4400, "Messages are text, not binary")),
        ([COUNT], (4401, "Unauthorized")),
        ([], (4408, "Connection initialisation timeout")),
        ([INIT, INIT], (4429, "Too many initialisation requests")),
    ],
    ids=["bad", "binary", "not acknowledged", "silence", "two inits"],
)
async def test_a_fault_of_the_peer(
    messages: list[Any], close: tuple[int, str], server: ServerProcess
) -> None:
    code, reason = close
    assert await close_of(server.ws_url, *messages) == (code, sent(reason, server))


async def test_an_id_in_use(server: ServerProcess) -> None:
    async with connect(
        server.ws_url, subprotocols=[Subprotocol(SUBPROTOCOL)], proxy=None
    ) as socket:
        await socket.send(json.dumps(INIT))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        for _ in range(2):
            await socket.send(json.dumps(COUNT))
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4409
    assert caught.value.rcvd.reason == sent("Subscriber for 1 already exists", server)


async def test_a_foreign_page_and_another_path_are_refused(server: ServerProcess) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(server.ws_url, origin="https://evil.example", proxy=None):  # type: ignore[arg-type]
            pass
    assert caught.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as caught:
        async with connect(server.ws_url.replace("/graphql/", "/elsewhere"), proxy=None):
            pass
    assert caught.value.response.status_code == 403
