"""GraphQL over HTTP, as an Ariadne handler."""

from typing import Any

import orjson
from ariadne.asgi.handlers import GraphQLHTTPHandler
from ariadne.exceptions import HttpBadRequestError
from starlette.requests import Request
from starlette.responses import Response

from realtime.execution import encoded


class HTTPHandler(GraphQLHTTPHandler):
    """Ariadne's handler, but JSON bodies alone are taken, and orjson writes the answers.

    Other bodies (forms, text) are sent by a browser across origins without asking,
    cookies included.
    """

    async def extract_data_from_request(self, request: Request) -> Any:
        """Return the operation in a JSON body. Raises HttpBadRequestError."""
        content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if content_type != "application/json":
            raise HttpBadRequestError("The body must be of type application/json")
        try:
            return orjson.loads(await request.body())
        except orjson.JSONDecodeError as error:
            raise HttpBadRequestError(f"The body is not valid JSON: {error}") from None

    async def create_json_response(
        self, request: Request, result: dict[str, Any], success: bool
    ) -> Response:
        """Return the result with 200, or with 400 when nothing was executed."""
        status = 200 if "data" in result else 400
        return Response(encoded(result), status, media_type="application/json")
