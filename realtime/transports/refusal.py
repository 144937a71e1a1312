"""Requests that are refused before their operation is executed."""

import orjson
from starlette.responses import Response

from realtime.transports.negotiation import JSON


class RefusedError(Exception):
    """The request does not come to the execution of an operation."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers

    def response(self, media_type: str = JSON) -> Response:
        """Return the answer, with an `errors` array that says why."""
        body = orjson.dumps({"errors": [{"message": self.message}]})
        return Response(body, self.status, self.headers, media_type)
