"""Querysets compiled once, where to compile them takes longer than to run the statement."""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from operator import or_
from typing import Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import (
    CompositePrimaryKey,
    Expression,
    Model,
    Q,
    QuerySet,
    prefetch_related_objects,
)
from django.db.models.query import ModelIterable

M = TypeVar("M", bound=Model)


class Slot(Expression):
    """Stands in a queryset for a value of a field: that of this index at each call."""

    def __init__(self, index: int, field: Any) -> None:
        super().__init__()
        self.index = index
        self.column = field

    def as_sql(self, *_: Any, **__: Any) -> tuple[str, tuple[Any, ...]]:
        """Return a placeholder, and the slot in the parameters."""
        return "%s", (self,)


class Compiled(Generic[M]):
    """The rows of a queryset with slots. Make it once, and call it from any thread.

    What depends on the moment, as a filter by now(), the time zone, or that there is a
    transaction whose rows can be locked, stays as it was when it was first called.
    """

    def __init__(self, make: Callable[[str], QuerySet[M]]) -> None:
        self._make = make
        self._statements = _Statements()

    def __call__(self, using: str, *values: Any) -> list[M]:
        """Return the rows with these values in the slots. Raises what a queryset does; blocks."""
        statement = self._statements.of.get(using)
        if statement is None or statement.connection is not connections[using]:
            statement = self._statements.of[using] = _Statement(self._make(using))
        return statement.rows(values)


class ByKey(Generic[M]):
    """Finds rows of a queryset by the values of their primary keys, as its `in_bulk` does.

    The statements for up to `MOST` keys are compiled once, each for a power of two of them.
    """

    MOST = 16
    """Keys up to which the statement, a row of ORs, is run in less time than another compiled."""

    def __init__(self, rows: QuerySet[M]) -> None:
        """Take a queryset of objects. Raises TypeError for a slice, or for values()."""
        if not issubclass(rows._iterable_class, ModelIterable):  # `in_bulk` admits it from 6.1 on
            raise TypeError("ByKey takes a queryset of objects, not one of values().")
        rows.in_bulk(())  # refuses a slice
        self._rows = rows
        self._is_composite = isinstance(rows.model._meta.pk, CompositePrimaryKey)
        self._by_number: dict[int, Compiled[M]] = {}

    def __call__(self, keys: Iterable[Any], *, using: str | None = None) -> dict[Any, M]:
        """Return the rows that there are, by key. Raises what `in_bulk` does; blocks."""
        keys = [*keys]
        using = using or self._rows.db
        if not 0 < len(keys) <= self.MOST or self._is_composite:
            return self._rows.using(using).in_bulk(keys)
        number = 1 << (len(keys) - 1).bit_length()
        if (compiled := self._by_number.get(number)) is None:
            compiled = self._by_number[number] = Compiled(partial(self._with_slots, number))
        keys += keys[-1:] * (number - len(keys))
        return {row.pk: row for row in compiled(using, *keys)}

    def _with_slots(self, number: int, using: str) -> QuerySet[M]:
        key = self._rows.model._meta.pk
        any_of = reduce(or_, (Q(pk=Slot(index, key)) for index in range(number)))
        return self._rows.using(using).filter(any_of)


class _Statements(threading.local):
    """Those of one thread, as its connections are, by database."""

    def __init__(self) -> None:
        self.of: dict[str, _Statement[Any]] = {}


class _Statement(Generic[M]):
    """The statement of a queryset, on one connection."""

    def __init__(self, rows: Any) -> None:
        self.connection = connections[rows.db]
        self._rows = rows
        compiler = rows.query.get_compiler(using=rows.db)
        try:
            self._text, self._parameters = compiler.as_sql()
        except EmptyResultSet:
            self._text, self._parameters = "", ()
        converters = compiler.get_converters([each[0] for each in compiler.select])
        # Running it and making objects of what it returns is Django's, whose queryset finds
        # a compiler here that has compiled already.
        compiler.as_sql = self._filled
        compiler.get_converters = lambda *_: converters
        rows.query.get_compiler = lambda **_: compiler

    def rows(self, values: Sequence[Any]) -> list[M]:
        self._values = values
        found = [*self._rows._iterable_class(self._rows)]
        prefetch_related_objects(found, *self._rows._prefetch_related_lookups)
        return found

    def _filled(self, *_: Any, **__: Any) -> tuple[str, list[Any]]:
        return self._text, [
            each.column.get_db_prep_value(self._values[each.index], self.connection)
            if isinstance(each, Slot)
            else each
            for each in self._parameters
        ]
