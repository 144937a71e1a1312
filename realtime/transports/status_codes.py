"""HTTP status codes of results, as the audits of graphql-http want them, or as the draft does.

Source: "Status Codes" of GraphQL over HTTP, the draft of August 2026.
"""

from typing import Any, Literal

from realtime.protocols.error_codes import ErrorCode
from realtime.transports.negotiation import JSON

StatusCodes = Literal["audits", "draft-2026-08"]

UNPROCESSABLE = frozenset(
    {
        ErrorCode.BAD_USER_INPUT,
        ErrorCode.GRAPHQL_VALIDATION_FAILED,
        ErrorCode.OPERATION_RESOLUTION_FAILURE,
        # Our own rules of validation
        ErrorCode.DOCUMENT_TOO_DEEP,
        ErrorCode.TOO_MANY_ALIASES,
        ErrorCode.TOO_MANY_ROOT_FIELDS,
        ErrorCode.TOO_MANY_DIRECTIVES,
        ErrorCode.FRAGMENT_CYCLE,
        ErrorCode.TOO_COSTLY,
        ErrorCode.TOO_MANY_OVERLAPS,
        ErrorCode.LIST_TOO_LONG,
        ErrorCode.PAGE_TOO_LARGE,
        ErrorCode.VARIABLES_TOO_DEEP,
    }
)
"""Errors of requests that are well-formed, but cannot be executed."""

TOO_LARGE = frozenset(
    {ErrorCode.DOCUMENT_TOO_LARGE, ErrorCode.TOO_MANY_TOKENS, ErrorCode.VARIABLES_TOO_LARGE}
)


def status_of(
    result: dict[str, Any],
    *,
    media_type: str,
    method: str,
    status_codes: StatusCodes,
    is_request_error: bool,
) -> int:
    """Return the status of a result; that of `application/json` is always 200.

    Clients of the older media type take any other status for a fault of the transport.
    """
    if media_type == JSON:
        return 200
    if status_codes == "audits":
        return 400 if is_request_error else 200
    if not is_request_error:
        return 294 if result.get("errors") else 200
    code = result["errors"][0].get("extensions", {}).get("code")
    if code in TOO_LARGE:
        return 414 if method == "GET" else 413
    return 422 if code in UNPROCESSABLE else 500 if code == ErrorCode.INTERNAL_SERVER_ERROR else 400
