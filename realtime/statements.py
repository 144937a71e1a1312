"""Statements written by hand, where the ORM would take longer than the database."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from django.db import connections
from django.db.models import CharField, Field, IntegerField, Model

ROWS = 200
"""Rows in one statement: far below every backend's limit of parameters."""


def quoted(using: str, *names: str) -> Iterator[str]:
    """Yield names of tables and columns as that database has them in its statements."""
    return map(connections[using].ops.quote_name, names)


def insert(
    model: type[Model],
    columns: tuple[str, ...],
    rows: Sequence[Sequence[object]],
    *,
    using: str,
    then: str = "",
) -> list[tuple[Any, ...]]:
    """Insert rows, each the values of these columns, as the model's fields take them.

    What several rows share is prepared once. `then` is the rest of the statement; what it
    returns is returned.
    """
    connection = connections[using]
    fields = _fields(model, columns)
    prepared: dict[tuple[str, int], Any] = {}

    def prepare(field: "Field[Any, Any]", plain: type | None, value: object) -> Any:
        if type(value) is plain:
            return value
        key = field.attname, id(value)
        if key not in prepared:
            prepared[key] = field.get_db_prep_save(value, connection)
        return prepared[key]

    returned: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS):
            batch = rows[start : start + ROWS]
            cursor.execute(
                f"{_insert(using, model, columns, len(batch))} {then}",
                [
                    prepare(*field, value)
                    for values in batch
                    for field, value in zip(fields, values, strict=True)
                ],
            )
            if then:
                returned += cursor.fetchall()
    return returned


@cache
def _fields(
    model: type[Model], columns: tuple[str, ...]
) -> "list[tuple[Field[Any, Any], type | None]]":
    """Return the fields of columns, each with the type whose values need no preparing."""
    every = {field.column: field for field in model._meta.concrete_fields}
    return [(every[column], _plain(every[column])) for column in columns]


def _plain(field: "Field[Any, Any]") -> type | None:
    match getattr(field, "target_field", field):
        case CharField():
            return str
        case IntegerField():
            return int
    return None


@cache
def _insert(using: str, model: type[Model], columns: tuple[str, ...], rows: int) -> str:
    table, *names = quoted(using, model._meta.db_table, *columns)
    row = f"({', '.join(['%s'] * len(columns))})"
    # Only names and placeholders are put into the text.
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([row] * rows)}"  # noqa: S608
