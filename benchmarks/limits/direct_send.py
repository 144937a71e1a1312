"""The limit: each socket's `send` is kept, and one prebuilt frame is awaited into all.

No GraphQL, no database, no queue, no order, no bound: only what the server itself costs.
"""

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

from benchmarks.fire import with_fire
from benchmarks.stall import with_stall

_sends: set[Any] = set()

_HELLO = b'{"data":{"hello":"Hello"}}'
_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(_HELLO)).encode()),
]

# As long as the frame that Clew sends, with its cursor.
_FRAME = (
    '{"type":"next","id":"1","payload":{"data":{"getOrder":{"state":"UNPAID","date":"%s",'
    '"user":{"username":"user_1","email":"user_1@example.org"}}},'
    '"extensions":{"cursor":"MDAwMDAwMDAwMDAw"}}}'
)


async def _application(scope: Any, receive: Any, send: Any) -> None:
    match scope["type"]:
        case "websocket":
            await _keep(receive, send)
        case "http":
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": _HELLO})
        case kind:
            raise NotImplementedError(kind)  # which says that there is no lifespan


async def _keep(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
    try:
        while (message := await receive())["type"] == "websocket.receive":
            match json.loads(message["text"])["type"]:
                case "connection_init":
                    await send({"type": "websocket.send", "text": '{"type":"connection_ack"}'})
                case "subscribe":
                    _sends.add(send)
    finally:
        _sends.discard(send)


async def _fire(date: str) -> int:
    message = {"type": "websocket.send", "text": _FRAME % date}
    committed = time.monotonic_ns()
    for send in list(_sends):
        with suppress(OSError):
            await send(message)
    await asyncio.sleep(0)
    return committed


application = with_stall(with_fire(_application, _fire))
