"""What browsers are told on every answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.template.loader import render_to_string

from tests.django_project.test_http import HELLO, JSON, Answer, send

HTML = "text/html"
POLICY = "content-security-policy"


def policy_of(answer: Answer) -> dict[str, list[str]]:
    """Return the sources of each directive."""
    parts = [part.split() for part in answer.headers[POLICY].split(";")]
    return {name: sources for name, *sources in parts}


PAGES = {
    "start": ("/", 200),
    "docs": ("/docs/", 200),
    "login": ("/admin/login/", 200),
    "404": ("/nowhere", 404),
    "metrics": ("/metrics", 404),
}


class TestEveryAnswer:
    @pytest.fixture(
        params=["GraphQL", "GraphiQL", "refused", "stream", "host", "preflight", *PAGES]
    )
    async def answer(self, request: pytest.FixtureRequest, application: Any) -> Answer:
        match request.param:
            case "GraphQL":
                return await send(application, "POST", body=HELLO, content_type=JSON)
            case "GraphiQL":
                return await send(application, "GET", accept=HTML)
            case "refused":
                return await send(application, "POST", body=b"{", content_type=JSON)
            case "stream":
                headers = {"content_type": JSON, "accept": "text/event-stream"}
                return await send(application, "POST", body=HELLO, **headers)
            case "host":
                return await send(application, "POST", body=HELLO, host="evil.example")
            case "preflight":
                headers = {"origin": "https://evil.example", "access_control_request_method": "PUT"}
                return await send(application, "OPTIONS", **headers)
        path, status = PAGES[request.param]
        answer = await send(application, "GET", path)
        assert answer.status == status
        return answer

    async def test_is_what_it_says_it_is(self, answer: Answer) -> None:
        assert answer.headers["x-content-type-options"] == "nosniff"

    async def test_is_in_no_frame(self, answer: Answer) -> None:
        assert answer.headers["x-frame-options"] == "DENY"
        assert policy_of(answer)["frame-ancestors"] == ["'none'"]

    async def test_tells_no_other_site_where_one_came_from(self, answer: Answer) -> None:
        assert answer.headers["referrer-policy"] == "same-origin"

    async def test_has_scripts_of_ours_alone(self, answer: Answer) -> None:
        policy = policy_of(answer)
        assert policy["script-src"] == ["'self'"]
        assert policy["default-src"] == policy["base-uri"] == ["'none'"]
        assert policy["form-action"] == ["'self'"]

    async def test_says_nothing_twice(self, answer: Answer) -> None:
        assert "," not in answer.headers["x-frame-options"] + answer.headers[POLICY]


@pytest.mark.parametrize(
    ("path", "sources"), [("/", ["'self'"]), ("/graphql/", ["'self'", "'unsafe-inline'"])]
)
async def test_inline_styles_are_for_graphiql(
    path: str, sources: list[str], application: Any
) -> None:
    answer = await send(application, "GET", path, accept=HTML)
    assert policy_of(answer)["style-src"] == sources


@pytest.mark.parametrize(("debug", "has_policy"), [(False, True), (True, False)])
async def test_a_page_with_a_traceback_has_no_policy(
    debug: bool, has_policy: bool, application: Any, settings: Any
) -> None:
    settings.DEBUG = debug
    answer = await send(application, "GET", "/nowhere")
    assert (POLICY in answer.headers) is has_policy


class TestOutsideDebug:
    async def test_there_is_no_graphiql(self, production: Any) -> None:
        answer = await send(production, "GET", accept=HTML)
        assert (answer.status, answer.media_type) == (400, JSON)

    @pytest.mark.parametrize("path", ["/", "/docs/", "/nowhere"])
    async def test_no_page_leads_to_graphiql(self, path: str, production: Any) -> None:
        assert b'href="/graphql/"' not in (await send(production, "GET", path)).body

    async def test_there_is_none_either_with_introspection_alone(
        self, compose: Callable[[], Any], settings: Any
    ) -> None:
        settings.CLEW_GRAPHIQL = False
        answer = await send(compose(), "GET", accept=HTML)
        assert (answer.status, answer.body) == (405, b"")

    async def test_the_schema_is_not_told(self, production: Any) -> None:
        body = {"query": "{ __schema { types { name } } }"}
        answer = await send(production, "POST", body=body, content_type=JSON)
        assert "data" not in json.loads(answer.body)


class TestWithoutCollectedFiles:
    @pytest.fixture(autouse=True)
    def _nothing_collected(self, settings: Any, tmp_path: Path) -> None:
        storage = {"BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"}
        settings.STATIC_ROOT = tmp_path
        settings.STORAGES = {**settings.STORAGES, "staticfiles": storage}

    @pytest.mark.parametrize(("path", "status"), [("/", 200), ("/docs/", 200), ("/nowhere", 404)])
    async def test_our_pages_are_there(self, path: str, status: int, production: Any) -> None:
        assert (await send(production, "GET", path)).status == status

    async def test_the_start_says_so(
        self, compose: Callable[[], Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        compose()
        assert "run manage.py collectstatic" in caplog.text


async def test_the_start_says_nothing_of_files_that_need_not_be_collected(
    compose: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    compose()
    assert "collectstatic" not in caplog.text


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "500"])
def test_the_page_of_an_error_needs_nothing(name: str) -> None:
    assert "<h1>" in render_to_string(f"{name}.html")
