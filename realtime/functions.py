"""What applications give to their fields and models: functions, and what these return."""

from collections.abc import Callable, Iterable, Mapping
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import async_to_sync


def is_async(function: object) -> bool:
    """Tell whether calling it makes a coroutine."""
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def callable_in_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a database thread calls: an async function runs on the loop that it works for.

    The thread waits, and runs what the function does with the ORM.
    """
    return async_to_sync(function) if is_async(function) else function


def refuse_async(field: str, **functions: object) -> None:
    """Raise TypeError for options of a field that are called on the event loop but are async."""
    for option, function in functions.items():
        if is_async(function):
            raise TypeError(
                f"{option}= of the field {field!r} is async: define it with def. It is called on "
                "the event loop, and must not read the database."
            )


def topic_names(given: object, *, of: str) -> frozenset[str]:
    """Return the names of topics that a function returned: one string, or several.

    Raises TypeError that says whose names these were to be.
    """
    if isinstance(given, str):
        return frozenset([given])
    wrong = given
    if isinstance(given, Iterable):
        names = [*given]
        for wrong in names:
            if not isinstance(wrong, str):
                break
        else:
            return frozenset(names)
    raise TypeError(
        f"{of} must return the name of a topic, a string, or several: it returned "
        f"{_described(given)}" + ("." if wrong is given else f" with {_described(wrong)} in it.")
    )


def topics_of_object(value: Any) -> frozenset[str]:
    """Return the names that the `topics()` of an object returns. Raises as `topic_names`."""
    return topic_names(value.topics(), of=f"{type(value).__name__}.topics()")


def by_id(given: object, *, of: str) -> dict[str, Any]:
    """Return a mapping that a function returned, with its keys as strings.

    Raises TypeError that says whose mapping this was to be.
    """
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{of} must return a mapping of ids to objects, as in_bulk() does: it returned "
            f"{_described(given)}."
        )
    return {str(key): value for key, value in given.items()}


def _described(given: object) -> str:
    return "None" if given is None else f"an object of type {type(given).__name__!r}"
