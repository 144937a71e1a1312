"""Server-sent events: one connection an operation.

Source: "distinct connections mode" in PROTOCOL.md of the graphql-sse library.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from realtime.encoding import encoded, encoded_text
from realtime.errors import RequestError
from realtime.transports.negotiation import EVENT_STREAM, JSON, MULTIPART, RESPONSE, preferred
from realtime.transports.streaming import (
    Begin,
    Chunks,
    Framed,
    Outcomes,
    StreamedResponse,
    StreamHandler,
)

COMMENT = b":\n\n"
"""Means nothing to clients. The first makes browsers take the response as begun."""


class ServerSentEvents(StreamHandler):
    """Streams results to who prefers `text/event-stream`; subscriptions to who accepts it.

    A live event's `id` is its cursor. Browsers send the last one back when they
    reconnect, as `Last-Event-ID`, and the subscription goes on from there.
    """

    def supports(self, request: Request, data: dict[str, Any]) -> bool:
        """Tell whether the client wants events rather than one result as JSON."""
        subscription = self.is_subscription(data)
        offers = (EVENT_STREAM, MULTIPART) if subscription else (JSON, RESPONSE, EVENT_STREAM)
        return preferred(request.headers.get("accept"), offers) == EVENT_STREAM

    def prepare(self, request: Request, data: dict[str, Any]) -> dict[str, Any]:
        """Take `Last-Event-ID` as the cursor to go on from; a newer one than that of the URL."""
        after = request.headers.get("last-event-id")
        if not after:
            return data
        extensions = data.get("extensions")
        given = extensions if isinstance(extensions, dict) else {}
        return {**data, "extensions": {**given, "after": after}}

    def respond(self, begin: Begin) -> Response:
        """Return the response that streams the outcomes of an operation."""

        async def begin_events() -> Chunks:
            return Framed(await begin(), _stream)

        return event_stream(begin_events)


def event_stream(begin: Callable[[], Awaitable[Chunks]]) -> Response:
    """Return a response of events, with comments between as heartbeats."""
    return StreamedResponse(begin, media_type=EVENT_STREAM, heartbeat=COMMENT)


def event(kind: str, data: bytes = b"", *, id: str | None = None) -> bytes:
    """Return one event. JSON is one line, so that it needs no splitting."""
    cursor = f"id: {id}\n".encode() if id else b""
    return b"event: %b\n%bdata: %b\n\n" % (kind.encode(), cursor, data)


def next_event(result: str, *, operation: str | None = None, cursor: str | None = None) -> bytes:
    """Return the event of one result; of one operation of several where its id is given."""
    data = result
    if operation is not None:
        data = f'{{"id":{encoded_text(operation)},"payload":{result}}}'
    return event("next", data.encode(), id=cursor)


async def events(
    outcomes: Outcomes, *, operation: str | None = None
) -> AsyncGenerator[bytes, None]:
    """Yield the events of an operation, to its completion."""
    async with aclosing(outcomes):
        try:
            async for result in outcomes:
                # Results are made as they are asked for, so this is the cursor of this one.
                yield next_event(result, operation=operation, cursor=outcomes.cursor)
        except RequestError as error:
            if error.is_outage and operation is None:
                return  # without its completion: the client asks again, from where it stands
            yield next_event(encoded_text({"errors": error.errors}), operation=operation)
    yield event("complete", b"" if operation is None else encoded({"id": operation}))


async def _stream(outcomes: Outcomes) -> AsyncGenerator[bytes, None]:
    async with aclosing(events(outcomes)) as chunks:
        # An id alone is no event, but what a browser sends back if it is cut off before one.
        yield f"id: {outcomes.cursor}\n\n".encode() if outcomes.cursor else COMMENT
        async for chunk in chunks:
            yield chunk
