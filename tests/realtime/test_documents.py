"""Documents are parsed and validated once, in bounded memory."""

from typing import Any
from unittest.mock import patch

import pytest
from graphql import DocumentNode, GraphQLError, GraphQLSchema, build_schema, specified_rules

from realtime import documents
from realtime.asgi import graphql_app
from realtime.conf import Settings
from realtime.documents import DocumentCache
from tests.realtime.every_transport import STREAMING, TRANSPORTS

SCHEMA = build_schema(
    "type Query { a: Int  e(of: E): Int } type Subscription { e(of: E): Int } enum E { RED }"
)


def cache(*, characters: int = 100, **options: Any) -> DocumentCache:
    return DocumentCache(SCHEMA, Settings(document_cache=characters), **options)


def parsed(cache: DocumentCache, text: str) -> DocumentNode:
    return cache(None, {"query": text})


def validated(cache: DocumentCache, text: str, schema: GraphQLSchema = SCHEMA) -> list[str]:
    document = parsed(cache, text)
    return [error.message for error in cache.validate(schema, document, rules=specified_rules)]


@pytest.mark.parametrize(
    ("text", "errors"), [("{ a }", []), ("{ b }", ["Cannot query field 'b' on type 'Query'."])]
)
def test_the_second_time_costs_no_work(text: str, errors: list[str]) -> None:
    documents_ = cache()
    assert validated(documents_, text) == errors
    with patch.object(documents, "parsed"), patch.object(documents, "validate") as again:
        assert validated(documents_, text) == errors
        again.assert_not_called()


def test_other_rules_are_another_question() -> None:
    documents_ = cache()
    document = parsed(documents_, "{ b }")
    assert documents_.validate(SCHEMA, document, rules=specified_rules)
    assert documents_.validate(SCHEMA, document, rules=[]) == []


def test_what_was_not_used_for_longest_makes_room() -> None:
    documents_ = cache(characters=15)
    first = parsed(documents_, "{ a }")
    second = parsed(documents_, "{ b }")
    assert parsed(documents_, "{ a }") is first
    parsed(documents_, "{ c     }")
    assert parsed(documents_, "{ a }") is first
    assert parsed(documents_, "{ b }") is not second


def test_a_document_larger_than_the_cache_is_not_kept() -> None:
    documents_ = cache(characters=3)
    document = parsed(documents_, "{ a }")
    assert parsed(documents_, "{ a }") is not document
    assert documents_.validate(SCHEMA, document, rules=specified_rules) == []


def test_what_is_wrong_with_a_document_is_said_each_time() -> None:
    documents_ = cache()
    said = []
    for _ in range(2):
        with pytest.raises(GraphQLError) as caught:
            parsed(documents_, "{")
        said.append(caught.value)
    first, second = said
    assert first.message == "Syntax Error: Expected Name, found <EOF>."
    assert first.formatted == second.formatted
    assert first is not second


def test_what_is_wrong_is_looked_for_once() -> None:
    documents_ = cache()
    with pytest.raises(GraphQLError):
        parsed(documents_, "{")
    with patch.object(documents, "parsed") as again, pytest.raises(GraphQLError):
        parsed(documents_, "{")
    again.assert_not_called()


def test_few_of_those_that_are_refused_are_kept() -> None:
    documents_ = cache()
    good = parsed(documents_, "{ a }")
    for number in range(1_000):
        with pytest.raises(GraphQLError):
            parsed(documents_, "{" + str(number))
    assert parsed(documents_, "{ a }") is good
    assert len(documents_._refused) == documents.MAX_REFUSED


@pytest.mark.parametrize("text", ["type A { b: Int }", "{ a } scalar B", "schema { query: A }"])
def test_types_are_no_operations(text: str) -> None:
    with pytest.raises(GraphQLError, match="may only contain operations and fragments"):
        parsed(cache(), text)


def test_validation_stops_at_so_many_errors() -> None:
    variables = " ".join(f"$v{number}: Nothing" for number in range(30))
    [*errors, last] = validated(cache(), "query (" + variables + ") { a }")
    assert len(errors) == documents.MAX_ERRORS
    assert last.startswith("Too many validation errors")


class TestSuggestions:
    @pytest.mark.parametrize(
        "text",
        ["{ aa }", "{ e(off: RED) }", "{ e(of: REED) }", "{ ...A } fragment A on Qery { a }"],
    )
    def test_are_off(self, text: str) -> None:
        assert not any("Did you mean" in error for error in validated(cache(), text))

    def test_are_a_choice(self) -> None:
        [error] = validated(cache(suggestions=True), "{ b }")
        assert error == "Cannot query field 'b' on type 'Query'. Did you mean 'a' or 'e'?"

    @pytest.mark.parametrize(
        ("kind", "transport"),
        [
            *(("query", transport) for transport in TRANSPORTS),
            *(("subscription", transport) for transport in STREAMING),
        ],
    )
    async def test_are_off_for_variables(self, kind: str, transport: str) -> None:
        query = f"{kind} ($of: E) {{ e(of: $of) }}"
        payload = {"query": query, "variables": {"of": "REED"}}
        result = await TRANSPORTS[transport](graphql_app(SCHEMA), payload)
        [error] = result["errors"]
        assert "REED" in error["message"]
        assert "Did you mean" not in error["message"]
