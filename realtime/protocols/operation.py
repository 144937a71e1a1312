"""Operations, as every transport takes them: their parameters, and how many."""

from collections.abc import Mapping
from typing import Any

from realtime.protocols.error_codes import ErrorCode


def too_many(limit: int) -> list[dict[str, Any]]:
    """Return the errors of an operation beyond the limit of its connection."""
    message = f"A connection may have {limit} operations at once"
    return [{"message": message, "extensions": {"code": ErrorCode.TOO_MANY_OPERATIONS}}]


def document_hash(parameters: Mapping[str, Any]) -> str | None:
    """Return the hash of the registered document that is asked for, if one is.

    As `documentId`, or as Apollo's clients name it in `extensions`.
    """
    hash = parameters.get("documentId")
    if hash is None:
        match parameters.get("extensions"):
            case {"persistedQuery": {"sha256Hash": str(hash)}}:
                pass
    return hash.removeprefix("sha256:").lower() if isinstance(hash, str) and hash else None


def without_empty_name(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters without an `operationName` that is empty.

    As GraphQL over HTTP has it for GET, here for every transport: many clients send "" where
    the user has named no operation, and no operation can have that name.
    """
    if parameters.get("operationName") != "":
        return parameters
    return {name: value for name, value in parameters.items() if name != "operationName"}


def fault_of_parameters(parameters: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return which parameter is wrong and what it must be; ones that nobody knows are ignored."""
    if not isinstance(parameters.get("documentId"), str | None):
        return "documentId", "a string or null"
    query = parameters.get("query")
    if not isinstance(query, str) and (query is not None or document_hash(parameters) is None):
        return "query", "a string"
    if not isinstance(parameters.get("operationName"), str | None):
        return "operationName", "a string or null"
    for name in ("variables", "extensions"):
        if not isinstance(parameters.get(name), dict | None):
            return name, "an object or null"
    return None
