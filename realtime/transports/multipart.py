"""Multipart subscriptions over HTTP, as Apollo's clients ask for them.

Source: "Multipart HTTP protocol for GraphQL subscriptions" of Apollo's router.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from realtime.encoding import encoded
from realtime.errors import RequestError
from realtime.transports.negotiation import EVENT_STREAM, MULTIPART, preferred
from realtime.transports.streaming import (
    Begin,
    Chunks,
    Framed,
    Outcomes,
    StreamedResponse,
    StreamHandler,
)

DELIMITER = b"\r\n--graphql"

# Apollo's client takes a part as received when it has seen the delimiter behind it, so each
# part ends with that; and knows a delimiter by the line break before it, also the first.
PART = b"\r\ncontent-type: application/json\r\n\r\n%b" + DELIMITER
END = b"--\r\n"


class MultipartSubscriptions(StreamHandler):
    """Streams a subscription to who accepts `multipart/mixed;subscriptionSpec=1.0`."""

    def supports(self, request: Request, data: dict[str, Any]) -> bool:
        """Tell whether the client wants parts rather than events."""
        wanted = preferred(request.headers.get("accept"), (EVENT_STREAM, MULTIPART))
        return wanted == MULTIPART and self.is_subscription(data)

    def respond(self, begin: Begin) -> Response:
        """Return the response that streams the outcomes of an operation."""

        async def begin_parts() -> Chunks:
            return Framed(await begin(), _parts)

        return StreamedResponse(
            begin_parts,
            media_type="multipart/mixed;boundary=graphql;subscriptionSpec=1.0",
            heartbeat=PART % b"{}",
        )


async def _parts(outcomes: Outcomes) -> AsyncGenerator[bytes, None]:
    async with aclosing(outcomes):
        yield DELIMITER
        try:
            async for result in outcomes:
                yield PART % b'{"payload":%b}' % result.encode()
        except RequestError as error:
            # Errors beside the payload, not in it, make clients ask again.
            yield PART % encoded({"payload": None, "errors": error.errors})
    yield END
