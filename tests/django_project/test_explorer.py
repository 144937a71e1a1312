"""The examples that GraphiQL opens with."""

import pytest
from graphql import parse, validate

from django_project.explorer import example_tabs


@pytest.mark.parametrize("query", [tab["query"] for tab in example_tabs()])
def test_an_example_is_one_valid_operation(query: str) -> None:
    from django_project.schema import schema

    document = parse(query)
    assert validate(schema, document) == []
    assert len(document.definitions) == 1


def test_every_root_field_has_an_example() -> None:
    from django_project.schema import schema

    examples = "".join(tab["query"] for tab in example_tabs())
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert root is not None
        for name in root.fields:
            assert f"  {name}" in examples
