"""Raw connections for attacks: they send what no client library would."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.harness.service_process import HOST

_BUFFER = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The server that is attacked, and what the attacker knows of it."""

    port: int
    token: str
    """The token of a user's session."""
    username: str
    password: str
    cursor: str
    """A cursor of `getOrder`, from before many events."""


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connection(target: Target, *, address: str | None = None) -> AsyncIterator[Connection]:
    """Open a connection, from another loopback address if one is given; close it at the end."""
    reader, writer = await asyncio.open_connection(
        HOST, target.port, limit=_BUFFER, local_addr=None if address is None else (address, 0)
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def request(
    method: str, path: str, *headers: str, body: bytes = b"", kind: str = "application/json"
) -> bytes:
    """Return an HTTP request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", *headers]
    if body:
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def post(query: str, *headers: str, **variables: Any) -> bytes:
    """Return a GraphQL request."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    return request("POST", "/graphql/", *headers, body=body)


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one response with a Content-Length; return its head and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
    return head, await reader.readexactly(length)


async def websocket(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str | None = None
) -> None:
    """Shake hands, and begin the protocol graphql-transport-ws."""
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        request(
            "GET",
            "/graphql/",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Protocol: graphql-transport-ws",
        )
    )
    await reader.readuntil(b"\r\n\r\n")
    payload = {} if token is None else {"token": token}
    writer.write(frame(0x1, json.dumps({"type": "connection_init", "payload": payload}).encode()))
    await writer.drain()


def frame(opcode: int, payload: bytes = b"", *, final: bool = True) -> bytes:
    """Return a frame of a client, masked with zeros, which change nothing."""
    first = (0x80 if final else 0) | opcode
    if len(payload) < 126:
        head = bytes([first, 0x80 | len(payload)])
    elif len(payload) < 1 << 16:
        head = bytes([first, 0x80 | 126]) + len(payload).to_bytes(2, "big")
    else:
        head = bytes([first, 0x80 | 127]) + len(payload).to_bytes(8, "big")
    return head + bytes(4) + payload


def subscribe(id: str, query: str) -> bytes:
    """Return the message that begins an operation, as a frame."""
    message = {"id": id, "type": "subscribe", "payload": {"query": query}}
    return frame(0x1, json.dumps(message).encode())


async def again_and_again(step: Callable[[], Awaitable[object]]) -> None:
    """Repeat a step for ever; what the server refuses or cuts off is tried again."""
    while True:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await step()
        await asyncio.sleep(0)


async def at_once(count: int, step: Callable[[int], Awaitable[object]]) -> None:
    """Repeat a step for ever in several tasks, each with its number."""
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(again_and_again(lambda number=number: step(number)))  # type: ignore[misc]


async def repeated(target: Target, message: bytes, count: int, address: str | None = None) -> None:
    """Send a request again and again over several connections, and wait for each answer."""

    async def step(_: int) -> None:
        async with connection(target, address=address) as (reader, writer):
            while True:
                writer.write(message)
                head, _body = await answer(reader)
                if b"connection: close" in head.lower():
                    return

    await at_once(count, step)
