"""The parameters of an operation, read from a request."""

import re
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request

from realtime.conf import get_settings
from realtime.protocols.error_codes import ErrorCode
from realtime.protocols.operation import document_hash, fault_of_parameters, without_empty_name
from realtime.rates import charge
from realtime.transports.negotiation import JSON
from realtime.transports.origins import Origins, normalized, own_origin
from realtime.transports.refusal import RefusedError

PREFLIGHT = ("apollo-require-preflight", "x-apollo-operation-name", "graphql-preflight")
"""Headers that a page can send across origins only after asking the server."""


MAX_PARAMETERS = 100
"""Parameters that an address may have."""


async def read(request: Request) -> Any:
    """Return the parameters of a GET or POST, not yet checked. Raises RefusedError."""
    return _query_parameters(request) if request.method == "GET" else await _body(request)


def checked(data: Any) -> dict[str, Any]:
    """Return the parameters of an operation. Raises RefusedError."""
    if isinstance(data, list):
        raise _malformed("Batches are not supported: send one operation a request")
    if not isinstance(data, dict):
        raise _malformed("The body must be a JSON object")
    query = data.get("query")
    if not (isinstance(query, str) and query) and document_hash(data) is None:
        raise _malformed("The parameter query must be a non-empty string")
    if fault := fault_of_parameters(data):
        name, expected = fault
        raise _malformed(f"The parameter {name} must be {expected}")
    return dict(without_empty_name(data))


def _malformed(reason: str) -> RefusedError:
    """Return the refusal of JSON that is not the parameters of an operation."""
    return RefusedError(400, reason, draft_status=422)


def refuse_many(request: Request) -> None:
    """Refuse an address with too many parameters before they are parsed. Raises RefusedError."""
    if request.scope["query_string"].count(b"&") >= MAX_PARAMETERS:
        raise RefusedError(400, f"The address may have {MAX_PARAMETERS} parameters at most")


def refuse_forgery(request: Request, origins: Origins) -> None:
    """Refuse a GET that any page could have a browser send, with the user's cookies.

    Not one that bears a header of PREFLIGHT, nor one of which the browser itself says
    that a page of ours, or of an allowed origin, sends it. Raises RefusedError.
    """
    headers = request.headers
    if not _is_ambient(headers) or any(headers.get(name) for name in PREFLIGHT):
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site == "same-origin" or (origin is not None and origins.allows(origin)):
        return
    # Over plain HTTP browsers tell the first only to this machine. No page can feign the last.
    if site is None and origin is None and _comes_from_own_page(request):
        return
    raise RefusedError(403, f"A GET with cookies needs one of the headers {', '.join(PREFLIGHT)}")


def refuse_foreign(request: Request, origins: Origins) -> None:
    """Refuse what a page of another origin sends with the user's cookies. Raises RefusedError.

    The browser has asked before whether it may; a page that it takes for none is foreign, too.
    """
    headers = request.headers
    origin = headers.get("origin")
    if origin is None or not _is_ambient(headers) or origins.admits(origin, request.scope):
        return
    raise RefusedError(403, "Origin not allowed.", code=ErrorCode.ORIGIN_NOT_ALLOWED)


def _comes_from_own_page(request: Request) -> bool:
    scheme, slashes, rest = request.headers.get("referer", "").partition("://")
    host, slash, _ = rest.partition("/")
    origin = normalized(f"{scheme}{slashes}{host}")
    return bool(slash) and origin is not None and origin == own_origin(request.scope)


def _is_ambient(headers: Headers) -> bool:
    """Tell whether a request bears credentials that browsers send unasked."""
    scheme, _, _ = headers.get("authorization", "").partition(" ")
    return "cookie" in headers or scheme.lower() in {"basic", "digest", "negotiate", "ntlm"}


def _query_parameters(request: Request) -> dict[str, Any]:
    data: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if data.get(name):
            data[name] = _parsed(data[name], f"The parameter {name}")
        else:
            data.pop(name, None)
    return data


async def _body(request: Request) -> Any:
    media_type, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = re.search(r'charset="?([^";]*)', parameters)
    if media_type.strip() != JSON or (charset and charset[1].strip() not in {"utf-8", "utf8"}):
        # Also what a browser sends across origins without asking: forms and plain text.
        raise RefusedError(415, f"The body must be {JSON}, in UTF-8")
    limit = get_settings().max_body_size
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise RefusedError(413, f"The body may have {limit} bytes at most")
    finally:
        charge(body=len(body))
    return _parsed(body, "The body")


def _parsed(text: str | bytearray, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"{what} is not valid JSON: {error}") from None
