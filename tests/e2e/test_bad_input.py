"""What no client should send, to the real servers: each is refused, and others are served."""

import asyncio
from contextlib import nullcontext

import pytest

from tests.e2e.abrupt import BINARY, TEXT, http, websocket
from tests.harness.server import ServerProcess
from tests.harness.servers import Environment, Kind
from tests.harness.websocket_client import GraphQLSocket

PATH = "/graphql/"
INIT = {"type": "connection_init"}


@pytest.mark.parametrize("subprotocol", ["graphql-transport-ws", "graphql-ws"])
@pytest.mark.parametrize(
    ("opcode", "payload", "code"),
    [
        (BINARY, b"{}", 4400),
        (BINARY, b"\xff", 4400),
        (TEXT, b" " * (64 * 1024 + 1), 4400),
        (TEXT, b" " * 900_000, 4400),
    ],
    ids=["binary", "binary, not UTF-8", "over 64 KiB", "far over 64 KiB"],
)
async def test_a_frame_closes_its_socket(
    opcode: int, payload: bytes, code: int, subprotocol: str, server: ServerProcess
) -> None:
    async with GraphQLSocket(server.ws_url) as other:
        connection = await websocket(server.port, PATH, subprotocol)
        connection.send(INIT)
        await connection.until(b'connection_ack"}')
        connection.send(payload, opcode=opcode)
        assert await connection.closed() == code
        await connection.free()
        assert await other.execute("{ hello }") == {"data": {"hello": "Hello world!"}}


async def test_text_that_is_not_utf_8_is_the_servers_own_affair(
    kind: Kind, environment: Environment
) -> None:
    with ServerProcess(kind, environment) as server:  # Uvicorn logs a traceback for it
        connection = await websocket(server.port, PATH, "graphql-transport-ws")
        connection.send(b"\xff", opcode=TEXT)
        broken_off = pytest.raises((ConnectionResetError, asyncio.IncompleteReadError))
        with broken_off if kind == "daphne" else nullcontext():
            assert await connection.closed() == 1007
        await connection.free()


async def test_a_thousand_operations(server: ServerProcess) -> None:
    async with GraphQLSocket(server.ws_url) as socket:
        started = [await socket.subscribe("subscription { realTimeMessages }") for _ in range(100)]
        for _ in range(900):
            refused = await socket.subscribe("subscription { realTimeMessages }")
            came = await refused.expect("errors", 5)
            assert "TOO_MANY_OPERATIONS" in str(came)
        await started[0].complete()
        assert await socket.execute("{ hello }") == {"data": {"hello": "Hello world!"}}


async def test_a_body_over_the_limit(server: ServerProcess) -> None:
    connection = await http(server.port, "POST", PATH, accept="*/*", body="x" * 1024 * 1024)
    assert b" 413 " in await connection.until(b"\r\n")
    await connection.free()
