"""Limits the size of results: while they are executed as far as possible, and once encoded."""

from typing import Any

from graphql import Executor, GraphQLLeafType, OperationType

from realtime.allowance import LARGE, holding
from realtime.conf import get_settings
from realtime.discretion import CodedExecutor, DiscreetExecutor
from realtime.encoding import encoded
from realtime.exceptions import ResultTooLargeError, TooMuchUnreadError

SHORT = 256
"""Characters of a text that is counted as it is, without looking for what JSON escapes."""


_complete = Executor.complete_leaf_value  # `super` would be looked up for each value


class _Bounded(Executor[Any]):
    """Stops executing when the values so far are larger than a result may be, or its client hold.

    Values are counted at least: keys and brackets are not, so `encoded_result` has the last word.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._held = holding.get()
        self._counted = self._room = min(LARGE, get_settings().max_result_size)

    def complete_leaf_value(self, return_type: GraphQLLeafType, result: Any) -> Any:  # type: ignore[override]  # it is called on the instance
        """Complete a scalar or enum, and count it."""
        value = _complete(return_type, result)
        if type(value) is str and len(value) <= SHORT:
            self._room -= len(value) + 2
        else:
            self._room -= _size(value)
        if self._room < 0:
            self._make_room()
        return value

    def _make_room(self) -> None:
        """Go on if the result may be larger, and its client hold more."""
        if self._counted - self._room > (limit := get_settings().max_result_size):
            raise ResultTooLargeError(limit)
        more = LARGE - self._room
        # A mutation is not stopped half-way because of results that have not been read.
        if self._held is not None and self.operation.operation is OperationType.QUERY:
            self._held.grow(more)
        self._counted += more
        self._room += more

    def handle_field_error(self, raw_error: Exception, *args: Any) -> None:
        """Have a result that is too large end the whole execution, whatever may be null."""
        if isinstance(raw_error, ResultTooLargeError | TooMuchUnreadError):
            raise raw_error
        super().handle_field_error(raw_error, *args)


class BoundedExecutor(_Bounded, CodedExecutor):
    """Gives errors their codes."""


class DiscreetBoundedExecutor(_Bounded, DiscreetExecutor):
    """Also keeps suggestions to itself."""


def _size(value: Any) -> int:
    return 1 if isinstance(value, int | float | None) else len(encoded(value))


def encoded_result(result: Any) -> bytes:
    """Return the JSON of a result. Raises ResultTooLargeError."""
    text = encoded(result)
    if len(text) > (limit := get_settings().max_result_size):
        raise ResultTooLargeError(limit)
    return text
