"""HTTP status codes: those of the audits by default, those of the draft of August 2026 if asked."""

import json
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from ariadne import QueryType, make_executable_schema
from graphql import GraphQLError

from realtime.asgi import graphql_app
from realtime.transports.http import HTTPHandler
from realtime.transports.negotiation import JSON, RESPONSE
from tests.realtime.streams import answer

TYPES = "type Query { add(a: Int!, b: Int): Int  broken: Int  required: Int! }"


def application(**options: Any) -> Any:
    query = QueryType()
    query.set_field("add", lambda _, info, a, b=0: a + b)

    def broken(*_: Any) -> int:
        raise GraphQLError("Broken")

    query.set_field("broken", broken)
    query.set_field("required", broken)
    return graphql_app(make_executable_schema(TYPES, query), **options)


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]


async def ask(app: Any, method: str = "POST", accept: str = RESPONSE, **data: Any) -> Answer:
    is_get = method == "GET"
    request = {"query_string": urlencode(data)} if is_get else {"body": data}
    status, body = await answer(app, method, accept=accept, **request)
    return Answer(status, json.loads(body))


CASES = {
    "data alone": ({"query": "{ add(a: 1) }"}, 200, 200),
    "partial data": ({"query": "{ add(a: 1) broken }"}, 200, 294),
    "data that is null": ({"query": "{ required }"}, 200, 294),
    "a syntax error": ({"query": "{"}, 400, 400),
    "a validation error": ({"query": "{ unknown }"}, 400, 422),
    "a variable that does not fit": (
        {"query": "query ($a: Int!) { add(a: $a) }", "variables": {"a": "x"}},
        400,
        422,
    ),
    "no such operation": ({"query": "query A { add(a: 1) }", "operationName": "B"}, 400, 422),
    "several operations": ({"query": "query A { add(a: 1) } query B { add(a: 1) }"}, 400, 422),
    "too deep": ({"query": "{ a" * 20 + "}" * 20}, 400, 422),
    "a large document": ({"query": "{ add(a: 1) }" + " " * 20_000}, 400, 413),
    "no query": ({"variables": {}}, 400, 422),
    "variables of a wrong type": ({"query": "{ add(a: 1) }", "variables": []}, 400, 422),
}


@pytest.mark.parametrize(("data", "audits", "draft"), CASES.values(), ids=CASES)
class TestPost:
    async def test_by_default(self, data: Any, audits: int, draft: int) -> None:
        assert (await ask(application(), **data)).status == audits

    async def test_by_the_draft(self, data: Any, audits: int, draft: int) -> None:
        assert (await ask(application(status_codes="draft-2026-08"), **data)).status == draft

    async def test_json_has_the_same_ones(self, data: Any, audits: int, draft: int) -> None:
        app = application(status_codes="draft-2026-08")
        by_default = await ask(application(), accept=JSON, **data)
        assert (await ask(app, accept=JSON, **data)).status == by_default.status


async def test_a_get_that_is_too_long_is_414_by_the_draft() -> None:
    app = application(status_codes="draft-2026-08")
    assert (await ask(app, "GET", query="{ add(a: 1) }" + " " * 20_000)).status == 414


async def test_an_unknown_choice_is_named() -> None:
    with pytest.raises(ValueError, match=r"status_codes is one of .*'draft-2026-08'"):
        HTTPHandler(status_codes="draft")  # type: ignore[arg-type]


class TestCodes:
    """Each of these errors has its code, over GET as over POST."""

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
            ({"query": "{ add(a: 1e) }"}, "GRAPHQL_PARSE_FAILED"),
            ({"query": "type Query { a: Int }"}, "GRAPHQL_VALIDATION_FAILED"),
            ({"query": "{ unknown }"}, "GRAPHQL_VALIDATION_FAILED"),
            ({"query": "fragment F on Query { add(a: 1) }"}, "GRAPHQL_VALIDATION_FAILED"),
            ({"query": "query ($a: Int!) { add(a: $a) }"}, "BAD_USER_INPUT"),
            (
                {"query": "query A { add(a: 1) }", "operationName": "B"},
                "OPERATION_RESOLUTION_FAILURE",
            ),
            ({"query": "query A { broken } query B { broken }"}, "OPERATION_RESOLUTION_FAILURE"),
            ({"query": ""}, "BAD_REQUEST"),
        ],
    )
    async def test_of_a_request_that_cannot_be_executed(
        self, data: Any, code: str, method: str
    ) -> None:
        errors = (await ask(application(), method, **data)).body["errors"]
        assert {error["extensions"]["code"] for error in errors} == {code}

    async def test_an_error_of_a_resolver_has_the_code_that_it_gives(self) -> None:
        [error] = (await ask(application(), query="{ broken }")).body["errors"]
        assert "extensions" not in error
