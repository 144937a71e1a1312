"""Operations, as every transport takes them: their parameters, and how many."""

from collections.abc import Mapping
from typing import Any


def too_many(limit: int) -> list[dict[str, Any]]:
    """Return the errors of an operation beyond the limit of its connection."""
    message = f"A connection may have {limit} operations at once"
    return [{"message": message, "extensions": {"code": "TOO_MANY_OPERATIONS"}}]


def fault_of_parameters(parameters: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return which parameter is wrong and what it must be; ones that nobody knows are ignored."""
    if not isinstance(parameters.get("query"), str):
        return "query", "a string"
    if not isinstance(parameters.get("operationName"), str | None):
        return "operationName", "a string or null"
    for name in ("variables", "extensions"):
        if not isinstance(parameters.get(name), dict | None):
            return name, "an object or null"
    return None
