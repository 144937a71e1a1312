"""The checks of the auditor graphql-cop, against the application as it is in production.

Source: lib/tests/ of github.com/dolevf/graphql-cop. Each test bears the name of its check.
"""

import json
from typing import Any

import pytest

from tests.django_project.test_http import JSON, Answer, query_string, send


async def ask(application: Any, query: str, **headers: str) -> dict[str, Any]:
    answer = await send(application, "POST", body={"query": query}, content_type=JSON, **headers)
    return result(answer)


def result(answer: Answer) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(answer.body)
    return parsed


class TestDenialOfService:
    async def test_alias_overloading(self, production: Any) -> None:
        aliases = "".join(f"alias{n}:__typename \n" for n in range(101))
        assert "data" not in await ask(production, f"query {{ {aliases} }}")

    async def test_field_duplication(self, production: Any) -> None:
        fields = "__typename \n" * 500
        assert "data" not in await ask(production, f"query {{ {fields} }}")

    @pytest.mark.parametrize("count", [10, 51])
    async def test_directive_overloading(self, count: int, production: Any) -> None:
        """The check looks for an error for each directive."""
        answer = await ask(production, f"query {{ __typename {'@aa' * count} }}")
        assert len(answer["errors"]) < 10

    async def test_batch_query(self, production: Any) -> None:
        body = [{"query": "query { __typename }"}] * 10
        answer = await send(production, "POST", body=body, content_type=JSON)
        assert answer.status == 400
        assert "data" not in result(answer)

    async def test_circular_query_introspection(self, production: Any) -> None:
        query = "query { __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }"  # noqa: E501
        assert "data" not in await ask(production, query)


class TestLeaks:
    @pytest.mark.parametrize(
        "query",
        ["{ __schema { types { name fields { name } } } }", '{ __type(name: "User") { name } }'],
    )
    async def test_introspection(self, query: str, production: Any) -> None:
        assert "data" not in await ask(production, query)

    @pytest.mark.parametrize("path", ["/graphiql", "/playground", "/console", "/graphql"])
    async def test_graphiql(self, path: str, production: Any) -> None:
        answer = await send(production, "GET", path, accept="text/html,*/*;q=0.8")
        for sign in ("graphiql.min.css", "GraphQL Playground", "GraphiQL", "graphql-playground"):
            assert sign not in answer.body.decode()

    @pytest.mark.parametrize("query", ["query { __schema { directive } }", "{ hell }"])
    async def test_field_suggestions(self, query: str, production: Any) -> None:
        answer = await ask(production, query)
        assert "Did you mean" not in str(answer["errors"])

    async def test_trace_mode(self, production: Any) -> None:
        answer = await ask(production, "query { __typename }", x_apollo_tracing="1")
        assert answer == {"data": {"__typename": "Query"}}

    async def test_unhandled_error(self, production: Any) -> None:
        answer = await ask(production, "qwerty cop { abc }")
        [error] = answer["errors"]
        assert sorted(error) == ["extensions", "locations", "message"]
        assert error["extensions"] == {"code": "GRAPHQL_PARSE_FAILED"}


class TestForgery:
    """A page of another site makes the user's browser ask, which adds the user's cookie."""

    async def test_get_based_mutation(self, production: Any) -> None:
        answer = await send(production, "GET", query_string(query="mutation { __typename }"))
        assert answer.status == 405
        assert "data" not in result(answer)

    async def test_get_method_support(self, production: Any) -> None:
        """The check itself sends no cookie: so anyone may ask what anyone may know."""
        path = query_string(query="{__typename}")
        answer = await send(production, "GET", path, cookie="sessionid=x")
        assert answer.status == 403
        assert "data" not in result(answer)

    @pytest.mark.parametrize(
        ("path", "body"),
        [("/graphql/", b"query=query{__typename}"), ("/graphql/?query=query{__typename}", b"")],
        ids=["in the body", "in the address"],
    )
    async def test_post_based_csrf(self, path: str, body: bytes, production: Any) -> None:
        form = "application/x-www-form-urlencoded"
        answer = await send(production, "POST", path, body, content_type=form)
        assert answer.status == 415
        assert "data" not in result(answer)
