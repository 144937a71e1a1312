"""Requests that are refused before their operation is executed."""

from typing import Any, Self

import orjson
from graphql import GraphQLError
from starlette.responses import Response

from realtime.transports.negotiation import JSON


class RefusedError(Exception):
    """The request does not come to the execution of an operation."""

    def __init__(
        self,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        *,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.error: dict[str, Any] = {"message": message}
        if code is not None:
            self.error["extensions"] = {"code": code}

    @classmethod
    def because(
        cls, status: int, error: GraphQLError, headers: dict[str, str] | None = None
    ) -> Self:
        """Return a refusal that says what an error says."""
        refused = cls(status, error.message, headers)
        refused.error["extensions"] = error.extensions
        return refused

    def response(self, media_type: str = JSON) -> Response:
        """Return the answer, with an `errors` array that says why."""
        body = orjson.dumps({"errors": [self.error]})
        return Response(body, self.status, self.headers, media_type)
