"""Operations that ask for too much are refused before they are executed."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from graphql import GraphQLError, build_schema, get_introspection_query, specified_rules
from hypothesis import given
from hypothesis import strategies as st

from realtime.asgi import graphql_app
from realtime.conf import Settings
from realtime.documents import DocumentCache
from realtime.limits import Limit
from tests.realtime.every_transport import STREAMING, TRANSPORTS
from tests.realtime.stranger import Stranger

SCHEMA = build_schema("""
type Query {
  book: Book
  books(first: Int, last: Int): [Book!]!
  ten(first: Int = 10): [Book!]!
  shelf(first: Int, last: Int): Shelf!
  named(first: String): [Book!]!
  any(of: [[Int!]!], like: Like): Int
}
type Mutation { login: Boolean }
type Book { title: String  tags: [String!]  next: Book  books(first: Int, last: Int): [Book!]! }
type Shelf { books: [Book!]!  grid: [[Book!]!]!  id: ID }
input Like { any: [Int!] }
""")


def documents(**settings: Any) -> DocumentCache:
    return DocumentCache(SCHEMA, Settings(**settings), costs={"Mutation.login": 1_000})


def broken(
    query: str, variables: Any = None, operation: str | None = None, **settings: Any
) -> str | None:
    """Return the code of the limit that an operation breaks."""
    error = refusal(query, variables, operation, **settings)
    if error is None:
        return None
    assert error.extensions is not None
    code: str = error.extensions["code"]
    if code == "OPERATION_RESOLUTION_FAILURE":  # which is looked at after all limits
        return None
    assert error.extensions["limit"] == Limit[code].of(Settings(**settings))
    return code


def refusal(
    query: str, variables: Any = None, operation: str | None = None, **settings: Any
) -> GraphQLError | None:
    data = {"query": query, "variables": variables, "operationName": operation}
    try:
        documents(**settings)(None, data)
    except GraphQLError as error:
        return error
    return None


def cost(query: str, variables: Any = None) -> int:
    """Return what an operation costs: the least maximum that admits it."""
    low, high = 0, 10**9
    while high - low > 1:
        middle = (low + high) // 2
        if broken(query, variables, max_cost=middle) is None:
            high = middle
        else:
            low = middle
    return high


def nested(depth: int) -> str:
    return "{" + "book{" * (depth - 1) + "title" + "}" * depth


FRAGMENT = "fragment F{0} on Book{{t{0}}}"


def times(count: int, text: str) -> str:
    return " ".join(text.format(number) for number in range(count))


AT_THE_LIMIT = [
    ("DOCUMENT_TOO_LARGE", lambda n: "{book{title}} #" + "x" * (n - 15), 15 * 1024),
    ("DOCUMENT_TOO_LARGE", lambda n: "{book{title}}#" + "é" * (n // 2 - 7) + "x" * (n % 2), 15360),
    ("TOO_MANY_TOKENS", lambda n: "{book{" + times(n - 5, "t{}") + "}}", 2_000),
    ("TOO_MANY_TOKENS", lambda n: "{book{title}}" + "#\n" * (n - 6), 2_000),
    ("DOCUMENT_TOO_DEEP", nested, 12),
    ("TOO_MANY_ALIASES", lambda n: "{book{" + times(n, "a{}:title") + "}}", 30),
    ("TOO_MANY_ROOT_FIELDS", lambda n: "{" + "book{title}" * n + "}", 20),
    ("TOO_MANY_DIRECTIVES", lambda n: "{book{title" + "@include(if:true)" * n + "}}", 50),
    ("LIST_TOO_LONG", lambda n: "{any(of:[[" + "1 " * n + "]])}", 1_000),
    ("LIST_TOO_LONG", lambda n: "{any(like:{any:[" + "1 " * n + "]})}", 1_000),
    ("LIST_TOO_LONG", lambda n: "query($v:[Int!]=[" + "1 " * n + "]){any(of:[$v])}", 1_000),
    ("PAGE_TOO_LARGE", lambda n: "{books(first:" + str(n) + "){title}}", 200),
    ("PAGE_TOO_LARGE", lambda n: "{books(last:" + str(n) + "){title}}", 200),
    ("TOO_COSTLY", lambda n: "{books(first:9){" + "title " * 9 + "}" + "any " * (n - 82) + "}", 99),
]  # fmt: skip


@pytest.mark.parametrize(("code", "make", "limit"), AT_THE_LIMIT)
def test_what_is_at_a_limit_passes_and_what_is_over_it_does_not(
    code: str, make: Callable[[int], str], limit: int
) -> None:
    max_cost = limit if code == "TOO_COSTLY" else 10**6
    assert broken(make(limit), max_cost=max_cost) is None
    assert broken(make(limit + 1), max_cost=max_cost) == code


def test_the_error_says_the_limit_and_what_was_given() -> None:
    error = refusal(nested(13))
    assert error is not None
    assert error.message == "The limit of fields nested in each other is 12; this operation has 13"
    assert error.extensions == {"code": "DOCUMENT_TOO_DEEP", "limit": 12}


@pytest.mark.parametrize("limit", list(Limit))
def test_each_limit_is_a_setting_or_a_number(limit: Limit) -> None:
    assert isinstance(limit.of(Settings()), int)


class TestFragments:
    """They count as often as they are spread, in hardly any time."""

    @pytest.mark.parametrize(
        ("code", "operation", "fragment"),
        [
            ("TOO_MANY_ALIASES", "{book{...F next{...F}}}", times(16, "a{}:title")),
            ("TOO_MANY_DIRECTIVES", "{book{...F next{...F}}}", "title" + "@skip(if:false)" * 26),
            ("DOCUMENT_TOO_DEEP", "{book{next{next{...F}}}}", "next{" * 9 + "title" + "}" * 9),
        ],
    )  # fmt: skip
    def test_count_as_often_as_they_are_spread(
        self, code: str, operation: str, fragment: str
    ) -> None:
        definition = " fragment F on Book {" + fragment + "}"
        assert broken(operation + definition) == code
        assert broken("{book{...F}}" + definition) is None

    def test_root_fields_count_in_fragments_too(self) -> None:
        fragment = " fragment F on Query {" + "book{title}" * 11 + "}"
        assert broken("{...F ...on Query{...F}}" + fragment) == "TOO_MANY_ROOT_FIELDS"
        assert broken("{...F}" + fragment) is None

    @pytest.mark.parametrize(
        "fragments",
        [
            "fragment F on Book {...F}",
            "fragment F on Book {next{...G}} fragment G on Book {...H} fragment H on Book {...F}",
            "fragment F on Book {title} fragment G on Book {...on Book{...G}}",
        ],
    )
    def test_in_cycles_are_refused(self, fragments: str) -> None:
        assert broken("{book{...F}} " + fragments) == "FRAGMENT_CYCLE"

    def test_that_double_a_hundred_times_are_counted_and_refused(self) -> None:
        chain = " ".join(f"fragment F{n} on Book {{...F{n + 1} ...F{n + 1}}}" for n in range(100))
        assert broken("{book{...F0}} " + chain + " fragment F100 on Book{title}") == "TOO_COSTLY"

    def test_that_are_missing_are_for_validation_to_name(self) -> None:
        assert broken("{book{...F}}") is None


class TestCosts:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("{book{title}}", 2),
            ("{book{tags}}", 2),
            ("{books(first:5){title tags}}", 1 + 5 * 2),
            ("{books(first:2 last:5){title}}", 1 + 5),
            ("{books{title}}", 1 + 200),
            ("{books(first:0){title}}", 1),
            ("{ten{title}}", 1 + 10),
            ("{named(first:\"A\"){title}}", 1 + 200),
            ("{books(first:5){books(first:3){title}}}", 1 + 5 * (1 + 3)),
            ("{books(first:5){books{title}}}", 1 + 5 * (1 + 200)),
            ("{shelf(first:5){id books{title}}}", 1 + 1 + 1 + 5),
            ("{shelf(last:5){books{title books{title}}}}", 1 + 1 + 5 * (1 + 1 + 200)),
            ("{shelf(first:5){grid{title}}}", 1 + 1 + 5 * 200),
            ("{shelf(first:5){...F}} fragment F on Shelf{books{title}}", 1 + 1 + 5),
            ("{shelf(first:5){...F}} fragment F on Shelf{...G} fragment G on Shelf{books{id}}", 7),
            ("{book{...on Book{title ...{title}}}}", 3),
            ("mutation{login a:login}", 2_000),
            ("query A{book{title}} query B{books(first:5){title}}", 6),
        ],
    )  # fmt: skip
    def test_are_fields_as_often_as_lists_repeat_them(self, query: str, expected: int) -> None:
        assert cost(query) == expected

    @pytest.mark.parametrize(
        ("variables", "expected"),
        [({"n": 5}, 6), ({}, 8), ({"n": 5.0}, 6), ({"n": None}, 201), ({"n": "five"}, 201)],
    )
    def test_take_the_sizes_of_pages_from_variables(self, variables: Any, expected: int) -> None:
        assert cost("query($n:Int=7){books(first:$n){title}}", variables) == expected

    def test_are_those_of_the_operation_that_is_asked_for(self) -> None:
        query = "query A($n:Int){books(first:$n){title}} query B{books(first:9){title}}"
        assert broken(query, {"n": 9}, "B", max_cost=10) is None
        assert broken(query, {"n": 10}, "B", max_cost=10) is None
        assert broken(query, {"n": 10}, "A", max_cost=10) == "TOO_COSTLY"


class TestPages:
    @pytest.mark.parametrize("size", [201, 10**30, -1])
    def test_have_bounds(self, size: int) -> None:
        assert broken("{books(first:" + str(size) + "){title}}") == "PAGE_TOO_LARGE"
        query = "query($n:Int){books(first:$n){title}}"
        assert broken(query, {"n": size}) == "PAGE_TOO_LARGE"
        assert broken(query, {"n": float(size)}) == "PAGE_TOO_LARGE"

    def test_have_bounds_where_a_default_sets_them(self) -> None:
        assert broken("query($n:Int=201){books(first:$n){title}}") == "PAGE_TOO_LARGE"
        assert broken("query($n:Int=201){books(first:$n){title}}", {"n": 1}) is None

    def test_of_thousands_of_digits_cost_nothing(self) -> None:
        assert broken("{books(first:1" + "0" * 9_000 + "){title}}") == "PAGE_TOO_LARGE"


class TestVariables:
    @pytest.mark.parametrize(
        ("variables", "code"),
        [
            ({"v": "x" * (64 * 1024 - 8)}, None),
            ({"v": "x" * (64 * 1024 - 7)}, "VARIABLES_TOO_LARGE"),
            ({"v": [1] * 1_000}, None),
            ({"v": [1] * 1_001}, "LIST_TOO_LONG"),
            ({"v": [{"w": {"x": [[1] * 1_001]}}]}, "LIST_TOO_LONG"),
            ({"v": json.loads("[" * 199 + "1" + "]" * 199)}, None),
            ({"v": json.loads("[" * 201 + "1" + "]" * 201)}, "VARIABLES_TOO_DEEP"),
            ({"v": json.loads('{"w":' * 900 + "1" + "}" * 900)}, "VARIABLES_TOO_DEEP"),
            ({"v": "\ud800"}, None),
        ],
    )
    def test_have_limits(self, variables: Any, code: str | None) -> None:
        assert broken("{book{title}}", variables) == code


class TestIntrospection:
    @pytest.mark.parametrize("max_cost", [10, 5_000])
    def test_as_graphiql_asks_is_within_the_limits(self, max_cost: int) -> None:
        query = get_introspection_query(
            specified_by_url=True,
            directive_is_repeatable=True,
            schema_description=True,
            input_value_deprecation=True,
        )
        cache = documents(max_cost=max_cost)
        document = cache(None, {"query": query})
        assert cache.validate(SCHEMA, document, specified_rules) == []

    def test_again_and_again_costs_too_much(self) -> None:
        standard = get_introspection_query()
        again = standard.replace(
            "__schema {", "a: __schema { ...S } b: __schema { ...S } c: __schema {"
        )
        again += " fragment S on __Schema { types { ...FullType } directives { name } }"
        assert broken(again, max_cost=100) == "TOO_COSTLY"

    def test_in_circles_is_refused(self) -> None:
        cache = documents()
        query = "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}"
        document = cache(None, {"query": query})
        [error] = cache.validate(SCHEMA, document, specified_rules)
        assert error.message == "Maximum introspection depth exceeded"

    def test_cannot_be_nested_without_end(self) -> None:
        query = '{__type(name:"Book"){' + "ofType{" * 300 + "name" + "}" * 302
        error = refusal(query)
        assert error is not None
        assert error.extensions == {"code": "DOCUMENT_TOO_DEEP", "limit": 200}


class TestOverlaps:
    """Of n, n (n + 1) / 2 pairs, each with itself, too."""

    @pytest.mark.parametrize(
        ("make", "most"),
        [
            (lambda n: "{book{" + "title " * n + "}}", 99),
            (lambda n: "{book{title:tags " + "title " * (n - 1) + "}}", 99),
            (lambda n: "{book{" + "... on Book{title}" * n + "}}", 99),
            (lambda n: "{book{title ...F}} fragment F on Book{" + "title " * n + "}", 98),
            (lambda n: "{book{title}} fragment F on Book{" + "title " * n + "}", 99),
            (lambda n: "{...F} fragment F on Book{id} fragment F on Book{" + "id " * n + "}", 99),
        ],
    )  # fmt: skip
    def test_of_fields_of_one_name_have_a_limit(
        self, make: Callable[[int], str], most: int
    ) -> None:
        assert broken(make(most)) is None
        assert broken(make(most + 1)) == "TOO_MANY_OVERLAPS"

    @pytest.mark.parametrize(
        ("make", "most"),
        [
            # As many sets as fields, and as many fields in them.
            (lambda n: "{book{" + "next{title}" * n + "}}", 57),
            (lambda n: "{book{" + "...F " * n + "}} fragment F on Book{title}", 98),
            (lambda n: "{book{" + times(n, "...F{0}") + "}}" + times(n, FRAGMENT), 97),
        ],
    )
    def test_of_selection_sets_have_a_limit(self, make: Callable[[int], str], most: int) -> None:
        assert broken(make(most)) is None
        assert broken(make(most + 1)) == "TOO_MANY_OVERLAPS"

    def test_are_those_of_all_operations(self) -> None:
        query = "query A{book{" + "title " * 75 + "}}"
        assert broken(query) is None
        assert broken(query + query.replace("A", "B", 1), operation="A") == "TOO_MANY_OVERLAPS"

    def test_are_found_through_fragments(self) -> None:
        query = "{book{next{next{...F}} next{...G}}} fragment G on Book{next{...H}}"
        query += " fragment F on Book{" + "title " * 50 + "} fragment H on Book{"
        assert broken(query + "title " * 48 + "}") is None
        assert broken(query + "title " * 50 + "}") == "TOO_MANY_OVERLAPS"

    def test_are_not_what_only_looks_alike(self) -> None:
        distinct = times(1_980, "t{}")
        assert broken("{book{" + distinct + "}}") is None


@given(st.text(alphabet='{}()[]:=!$@."\\#, \n_abfirst1-é', max_size=200))
def test_whatever_comes_is_answered(query: str) -> None:
    error = refusal(query, {"a": 1})
    assert error is None or error.message


async def code_over(transport: str, stranger: Stranger, payload: Any) -> str:
    """Return the code of an operation's one error; nothing was executed."""
    result = await TRANSPORTS[transport](graphql_app(stranger.schema), payload)
    assert set(result) == {"errors"}
    [error] = result["errors"]
    assert stranger.happened == []
    code: str = error["extensions"]["code"]
    return code


@pytest.mark.parametrize("transport", TRANSPORTS)
class TestOverEachTransport:
    async def test_a_document_is_refused(self, transport: str, stranger: Stranger) -> None:
        query = "{" + "quick " * 21 + "}"
        assert await code_over(transport, stranger, {"query": query}) == "TOO_MANY_ROOT_FIELDS"

    async def test_variables_are_refused(self, transport: str, stranger: Stranger) -> None:
        payload = {"query": "{ quick }", "variables": {"v": [1] * 1_001}}
        assert await code_over(transport, stranger, payload) == "LIST_TOO_LONG"

    async def test_what_is_within_the_limits_is_executed(
        self, transport: str, stranger: Stranger
    ) -> None:
        app = graphql_app(stranger.schema)
        result = await TRANSPORTS[transport](app, {"query": "{ quick }", "variables": {"v": [1]}})
        assert result == {"data": {"quick": "done"}}


@pytest.mark.parametrize("transport", STREAMING)
class TestSubscriptionsOverEachTransport:
    async def test_a_document_is_refused(self, transport: str, stranger: Stranger) -> None:
        query = "subscription { endless " + "@skip(if: false)" * 51 + "}"
        assert await code_over(transport, stranger, {"query": query}) == "TOO_MANY_DIRECTIVES"

    async def test_variables_are_refused(self, transport: str, stranger: Stranger) -> None:
        payload = {"query": "subscription { endless }", "variables": {"v": [1] * 1_001}}
        assert await code_over(transport, stranger, payload) == "LIST_TOO_LONG"
