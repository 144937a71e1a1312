"""One operation, over each transport."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from realtime.testing import Socket
from tests.realtime.streams import HttpStream, answer

Payload = dict[str, Any]
Operate = Callable[[Any, Payload], Awaitable[Payload]]
"""Run an operation in an application; return its first result, or its errors as one."""

EVENTS = "text/event-stream"
PARTS = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json'


async def post(app: Any, payload: Payload) -> Payload:
    status, body = await answer(app, "POST", body=payload, accept="application/json")
    assert status == 200
    return _object(body)


async def post_to_the_letter(app: Any, payload: Payload) -> Payload:
    accept = "application/graphql-response+json"
    status, body = await answer(app, "POST", body=payload, accept=accept)
    result = _object(body)
    assert status == (200 if "data" in result else 400)
    return result


async def get(app: Any, payload: Payload) -> Payload:
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in payload.items()}
    _, body = await answer(app, "GET", query_string=urlencode(texts), accept="application/json")
    return _object(body)


async def events(app: Any, payload: Payload) -> Payload:
    _, body = await answer(app, "POST", body=payload, accept=EVENTS)
    return _object(body.partition("event: next\ndata: ")[2].partition("\n")[0])


async def parts(app: Any, payload: Payload) -> Payload:
    _, body = await answer(app, "POST", body=payload, accept=PARTS)
    if not body.startswith("\r\n--graphql"):
        return _object(body)
    part = _object(body.split("\r\n")[4])
    return part["payload"] or {"errors": part["errors"]}


async def one_stream(app: Any, payload: Payload) -> Payload:
    _, token = await answer(app, "PUT")
    stream = HttpStream(app, "GET", accept=EVENTS, x_graphql_event_stream_token=token)
    await stream.open()
    try:
        extensions = {**payload.get("extensions", {}), "operationId": "1"}
        body = {**payload, "extensions": extensions}
        status, _ = await answer(app, "POST", body=body, x_graphql_event_stream_token=token)
        assert status == 202
        while not (chunk := await stream.chunk()).startswith("event: next"):
            pass
        result: Payload = _object(chunk.partition("data: ")[2])["payload"]
        return result
    finally:
        await stream.leave()


def socket(subprotocol: str, start: str) -> Operate:
    async def operate(app: Any, payload: Payload) -> Payload:
        async with Socket(app, subprotocols=[subprotocol]) as socket:
            await socket.send({"type": "connection_init"})
            assert await socket.receive() == {"type": "connection_ack"}
            await socket.send({"id": "1", "type": start, "payload": payload})
            async for message in socket:
                match message:
                    case {"id": "1", "type": "error", "payload": errors}:
                        return {"errors": errors if isinstance(errors, list) else [errors]}
                    case {"id": "1", "payload": dict(result)}:
                        return result
        raise AssertionError("A socket ends with an exception")

    return operate


TRANSPORTS: dict[str, Operate] = {
    "POST": post,
    "POST to the letter": post_to_the_letter,
    "GET": get,
    "events": events,
    "parts": parts,
    "one stream": one_stream,
    "graphql-transport-ws": socket("graphql-transport-ws", "subscribe"),
    "graphql-ws": socket("graphql-ws", "start"),
}
STREAMING = ("events", "parts", "one stream", "graphql-transport-ws", "graphql-ws")
"""Those that carry subscriptions."""


def _object(text: str) -> Payload:
    value = json.loads(text)
    assert isinstance(value, dict)
    return value
