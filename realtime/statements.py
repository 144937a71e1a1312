"""Statements written by hand, where the ORM would take longer than the database."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connections
from django.db.models import Model

ROWS = 200
"""Rows in one statement: far below every backend's limit of parameters."""


def quoted(using: str, *names: str) -> Iterator[str]:
    """Yield names of tables and columns as that database has them in its statements."""
    return map(connections[using].ops.quote_name, names)


def insert(
    model: type[Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    using: str,
    then: str = "",
) -> list[tuple[Any, ...]]:
    """Insert rows, each the values of these columns, as the model's fields take them.

    `then` is the rest of the statement; what it returns is returned.
    """
    connection = connections[using]
    every = {field.column: field for field in model._meta.concrete_fields}
    fields = [every[column] for column in columns]
    table, *names = quoted(using, model._meta.db_table, *columns)
    row = f"({', '.join(['%s'] * len(fields))})"
    returned: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS):
            batch = rows[start : start + ROWS]
            cursor.execute(
                # Only names and placeholders are put into the text.
                f"INSERT INTO {table} ({', '.join(names)})"  # noqa: S608
                f" VALUES {', '.join([row] * len(batch))} {then}",
                [
                    field.get_db_prep_save(value, connection)
                    for values in batch
                    for field, value in zip(fields, values, strict=True)
                ],
            )
            if then:
                returned += cursor.fetchall()
    return returned
