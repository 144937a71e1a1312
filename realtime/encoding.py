"""JSON for the wire."""

import json
from typing import Any

import orjson


def encoded(value: Any) -> bytes:
    """Return the JSON of a result or of formatted errors."""
    try:
        return orjson.dumps(value, default=str)
    except TypeError:  # half a surrogate pair, which UTF-8 has not but JSON can escape
        return json.dumps(value, default=str).encode()


def encoded_text(value: Any) -> str:
    """Return the JSON as text, as WebSockets send it."""
    return encoded(value).decode()
