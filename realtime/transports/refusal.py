"""Requests that are refused before their operation is executed."""

from typing import Any, Self

import orjson
from graphql import GraphQLError
from starlette.responses import Response

from realtime.protocols.error_codes import ErrorCode
from realtime.transports.negotiation import JSON, RESPONSE, VARY, preferred


class RefusedError(Exception):
    """The request does not come to the execution of an operation.

    `draft_status` is the status by the draft of GraphQL over HTTP, where it differs.
    """

    def __init__(
        self,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        *,
        code: ErrorCode = ErrorCode.BAD_REQUEST,
        draft_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.draft_status = draft_status or status
        self.headers = {**(headers or {}), **VARY}
        self.error: dict[str, Any] = {"message": message, "extensions": {"code": code}}

    @classmethod
    def because(
        cls, status: int, error: GraphQLError, headers: dict[str, str] | None = None
    ) -> Self:
        """Return a refusal that says what an error says."""
        refused = cls(status, error.message, headers)
        refused.error["extensions"] = error.extensions
        return refused

    def response(self, accept: str | None, *, by_draft: bool = False) -> Response:
        """Return the answer, with an `errors` array that says why.

        It is of the media type that a client prefers by its header Accept.
        """
        media_type = preferred(accept, (JSON, RESPONSE)) or JSON
        status = self.draft_status if by_draft and media_type == RESPONSE else self.status
        body = orjson.dumps({"errors": [self.error]})
        return Response(body, status, self.headers, media_type)
