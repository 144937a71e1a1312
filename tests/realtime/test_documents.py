"""Documents are parsed and validated once, in bounded memory."""

from unittest.mock import patch

import pytest
from graphql import GraphQLSchema, GraphQLSyntaxError, build_schema, specified_rules

from realtime import documents
from realtime.documents import DocumentCache

SCHEMA = build_schema("type Query { a: Int }")


def validated(cache: DocumentCache, text: str, schema: GraphQLSchema = SCHEMA) -> list[str]:
    document = cache.parse(None, {"query": text})
    return [error.message for error in cache.validate(schema, document, rules=specified_rules)]


@pytest.mark.parametrize(
    ("text", "errors"),
    [("{ a }", []), ("{ b }", ["Cannot query field 'b' on type 'Query'. Did you mean 'a'?"])],
)
def test_the_second_time_costs_no_work(text: str, errors: list[str]) -> None:
    cache = DocumentCache(characters=100)
    assert validated(cache, text) == errors
    with patch.object(documents, "parse"), patch.object(documents, "validate") as again:
        assert validated(cache, text) == errors
        again.assert_not_called()


def test_other_rules_are_another_question() -> None:
    cache = DocumentCache(characters=100)
    document = cache.parse(None, {"query": "{ b }"})
    assert cache.validate(SCHEMA, document, rules=specified_rules)
    assert cache.validate(SCHEMA, document, rules=[]) == []


def test_what_was_not_used_for_longest_makes_room() -> None:
    cache = DocumentCache(characters=15)
    first = cache.parse(None, {"query": "{ a }"})
    second = cache.parse(None, {"query": "{ b }"})
    assert cache.parse(None, {"query": "{ a }"}) is first
    cache.parse(None, {"query": "{ c }{ c }"})
    assert cache.parse(None, {"query": "{ a }"}) is first
    assert cache.parse(None, {"query": "{ b }"}) is not second


def test_a_document_larger_than_the_cache_is_not_kept() -> None:
    cache = DocumentCache(characters=3)
    document = cache.parse(None, {"query": "{ a }"})
    assert cache.parse(None, {"query": "{ a }"}) is not document
    assert cache.validate(SCHEMA, document, rules=specified_rules) == []


def test_a_syntax_error_is_raised_each_time() -> None:
    cache = DocumentCache(characters=100)
    for _ in range(2):
        with pytest.raises(GraphQLSyntaxError):
            cache.parse(None, {"query": "{"})
