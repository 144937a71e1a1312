"""A schema of rows with ten fields, whose resolvers do nothing: what is measured is the engine."""

from types import SimpleNamespace
from typing import Any

from ariadne import ObjectType, QueryType, make_executable_schema

FIELDS = tuple(f"f{number}" for number in range(10))

TYPE_DEFS = f"""
type Query {{
  row: Row!
  rows(first: Int, last: Int): [Row!]!
  awaited(first: Int, last: Int): [Row!]!
  any(of: [[Int!]!], text: String): Int
}}
type Row {{
  {" ".join(f"{field}: String!" for field in FIELDS)}
  row: Row!
  rows(first: Int, last: Int): [Row!]!
  awaited(first: Int, last: Int): [Row!]!
}}
"""

_ROW = SimpleNamespace(**{field: f"some text for {field}" for field in FIELDS})

_query, _row = QueryType(), ObjectType("Row")


@_query.field("row")
@_row.field("row")
def resolve_row(*_: Any) -> Any:
    """Return the only row there is."""
    return _ROW


@_query.field("rows")
@_row.field("rows")
def resolve_rows(*_: Any, first: int) -> list[Any]:
    """Return a page."""
    return [_ROW] * first


@_query.field("awaited")
@_row.field("awaited")
async def resolve_awaited(*_: Any, first: int) -> list[Any]:
    """Return a page as resolvers do that await."""
    return [_ROW] * first


@_query.field("any")
def resolve_any(*_: Any, **__: Any) -> int:
    """Take anything."""
    return 1


schema = make_executable_schema(TYPE_DEFS, _query, _row)
