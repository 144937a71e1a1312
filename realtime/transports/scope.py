"""The ASGI scope, as resolvers find it in `info.context["request"].scope`."""

from collections.abc import MutableMapping
from typing import Any

from realtime.exceptions import MissingFromScopeError
from realtime.viewer import KEY

BY_MIDDLEWARE = {"cookies", "session", "user", KEY}


class _WithoutViewer(dict[str, Any]):
    """A scope that no ViewerMiddleware has passed."""

    def __missing__(self, key: str) -> Any:
        raise MissingFromScopeError(key) if key in BY_MIDDLEWARE else KeyError(key)


def explaining(scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return a scope that says what to do about a key that ViewerMiddleware would have set."""
    return scope if KEY in scope else _WithoutViewer(scope)
