"""Whether the process has been told to end, and is closing its connections."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_callbacks: list[Callable[[], None]] = []
_is_draining = False


def is_draining() -> bool:
    """Return whether the process has been told to end."""
    return _is_draining


def when_draining(callback: Callable[[], None]) -> Callable[[], None]:
    """Have a function called whenever the process is told to end; a decorator."""
    _callbacks.append(callback)
    return callback


def begin() -> None:
    """Note that the process has been told to end, and call the functions that wait for it."""
    global _is_draining
    _is_draining = True
    for callback in _callbacks:
        callback()


@contextmanager
def until_end() -> Iterator[None]:
    """Forget at the end that the process was told to end: tests serve again afterwards."""
    global _is_draining
    try:
        yield
    finally:
        _is_draining = False
