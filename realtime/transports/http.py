"""GraphQL over HTTP, as an Ariadne handler.

Source: the GraphQL-over-HTTP draft, and the audits of the graphql-http library.
"""

import re
from typing import Any

import orjson
from ariadne.asgi.handlers import GraphQLHTTPHandler
from ariadne.graphql import parse_query
from django.http import HttpRequest
from graphql import GraphQLError, OperationType, get_operation_ast
from starlette.requests import Request
from starlette.responses import Response

from realtime.conf import get_settings
from realtime.execution import encoded
from realtime.protocols.operation import fault_of_parameters

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
HTML = "text/html"

ALLOWED = "GET, POST, OPTIONS"

PREFLIGHT = ("apollo-require-preflight", "x-apollo-operation-name", "graphql-preflight")
"""Headers that a page can send across origins only after asking the server."""


class RefusedError(Exception):
    """The request does not come to the execution of an operation."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class HTTPHandler(GraphQLHTTPHandler):
    """Serves queries by GET and POST, mutations by POST, and the explorer to browsers."""

    async def handle_request(self, request: Request) -> Response:
        """Answer one request; Ariadne calls it."""
        if request.method == "OPTIONS":
            return Response(headers={"Allow": ALLOWED})
        accept = request.headers.get("accept") or "*/*"
        wants_page = _preferred(accept, [JSON, RESPONSE, HTML]) == HTML
        if request.method == "GET" and wants_page and self.introspection and self.explorer:
            return await self.render_explorer(request, self.explorer)
        media_type = _preferred(accept, [JSON, RESPONSE])
        try:
            if media_type is None:
                raise RefusedError(406, f"Accept {RESPONSE} or {JSON}")
            data = _checked(await self.extract_data_from_request(request))
            if request.method == "GET":
                self._refuse_writes(data)
        except RefusedError as error:
            body = orjson.dumps({"errors": [{"message": error.message}]})
            return Response(body, error.status, error.headers, media_type or JSON)
        _, result = await self.execute_graphql_query(request, data)
        # Clients of the older media type take any other status for a fault of the transport.
        status = 200 if "data" in result or media_type == JSON else 400
        return Response(encoded(result), status, media_type=media_type)

    async def extract_data_from_request(self, request: Request) -> Any:
        """Return the parameters of the operation, not yet checked. Raises RefusedError."""
        if request.method == "GET":
            return _query_parameters(request)
        if request.method == "POST":
            return await _body(request)
        raise RefusedError(405, f"{request.method} is not allowed", {"Allow": ALLOWED})

    def _refuse_writes(self, data: dict[str, Any]) -> None:
        try:
            document = parse_query(None, self.query_parser, data)
        except GraphQLError:
            return  # executing says what is wrong
        operation = get_operation_ast(document, data.get("operationName"))
        if operation is not None and operation.operation is not OperationType.QUERY:
            message = f"Send a {operation.operation.value} by POST"
            raise RefusedError(405, message, {"Allow": "POST, OPTIONS"})


def _preferred(accept: str, offers: list[str]) -> str | None:
    """Return what a client likes best of the offers; of what it likes alike, the first."""
    request = HttpRequest()
    # Django tells media types apart by their parameters; all of ours are UTF-8.
    request.META["HTTP_ACCEPT"] = re.sub(r"; *charset=[^,;]*", "", accept.lower())
    return request.get_preferred_type(offers)


def _query_parameters(request: Request) -> dict[str, Any]:
    if "cookie" in request.headers and not any(request.headers.get(name) for name in PREFLIGHT):
        # Any page could have a browser send this, with the user's cookies.
        raise RefusedError(
            403, f"A GET with cookies needs one of the headers {', '.join(PREFLIGHT)}"
        )
    data: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if data.get(name):
            data[name] = _parsed(data[name], f"The parameter {name}")
        else:
            data.pop(name, None)
    if not data.get("operationName"):
        data.pop("operationName", None)
    return data


async def _body(request: Request) -> Any:
    media_type, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = parameters.partition("charset=")[2].strip().strip('"')
    if media_type.strip() != JSON or charset not in {"", "utf-8", "utf8"}:
        # Also what a browser sends across origins without asking: forms and plain text.
        raise RefusedError(415, f"The body must be {JSON}, in UTF-8")
    limit = get_settings().max_body_size
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise RefusedError(413, f"The body may have {limit} bytes at most")
    return _parsed(body, "The body")


def _parsed(text: str | bytearray, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"{what} is not valid JSON: {error}") from None


def _checked(data: Any) -> dict[str, Any]:
    """Return the parameters of an operation. Raises RefusedError."""
    if isinstance(data, list):
        raise RefusedError(400, "Batches are not supported: send one operation a request")
    if not isinstance(data, dict):
        raise RefusedError(400, "The body must be a JSON object")
    if not isinstance(data.get("query"), str) or not data["query"]:
        raise RefusedError(400, "The parameter query must be a non-empty string")
    if fault := fault_of_parameters(data):
        name, expected = fault
        raise RefusedError(400, f"The parameter {name} must be {expected}")
    return data
