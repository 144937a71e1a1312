"""Which media type a client gets, whatever it is answered, and of what that depends."""

import json
from typing import Any

import pytest
from ariadne import make_executable_schema
from ariadne.explorer import ExplorerGraphiQL
from starlette.responses import HTMLResponse

from realtime.asgi import graphql_app
from realtime.authentication import ViewerMiddleware
from realtime.transports.http import HTTPHandler
from realtime.transports.negotiation import EVENT_STREAM, JSON, MULTIPART, RESPONSE, preferred
from tests.realtime.stranger import Stranger
from tests.realtime.streams import HttpStream

HELLO = {"query": "{ __typename }"}
COUNT = {"query": "subscription { three }"}

APOLLO = (
    'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json',
    'multipart/mixed; boundary="graphql"; subscriptionSpec="1.0", application/json',
    "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,"
    "application/json;q=0.9",
    "multipart/mixed;subscriptionSpec=1.0",
    "multipart/mixed;deferSpec=20220824,multipart/mixed;subscriptionSpec=1.0,application/json",
    "multipart/mixed;deferSpec=20220824;subscriptionSpec=1.0,application/json",
)
"""Of Apollo's clients for JavaScript, Kotlin and iOS, which ask for subscriptions."""

OTHERS = (
    "multipart/mixed",
    "multipart/mixed;deferSpec=20220824",
    "multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json",
    "multipart/mixed;incrementalSpec=v0.2",
    "multipart/mixed;subscriptionSpec=2.0",
    "multipart/*",
)
"""Of clients that ask for something else, `@defer` most of all."""


async def answered(app: Any, method: str = "POST", **request: Any) -> tuple[HttpStream, str]:
    stream = HttpStream(app, method, **request)
    await stream.open()
    body = await stream.rest()
    await stream.leave()
    return stream, body


def media_type(stream: HttpStream) -> str:
    return stream.headers["content-type"].partition(";")[0]


@pytest.fixture
def application(stranger: Stranger) -> Any:
    return graphql_app(stranger.schema, explorer=ExplorerGraphiQL())


class TestMultipart:
    @pytest.mark.parametrize("accept", APOLLO)
    async def test_apollos_clients_get_parts(self, accept: str, application: Any) -> None:
        stream, _ = await answered(application, body=COUNT, accept=accept)
        assert (stream.status, media_type(stream)) == (200, "multipart/mixed")

    @pytest.mark.parametrize("accept", OTHERS)
    async def test_another_protocol_of_this_media_type_gets_none(
        self, accept: str, application: Any
    ) -> None:
        stream, body = await answered(application, body=COUNT, accept=accept)
        assert stream.status == 406
        assert "multipart/mixed;subscriptionSpec=1.0" in body

    @pytest.mark.parametrize("accept", [*APOLLO[:3], OTHERS[2]])
    async def test_a_query_of_these_clients_gets_json(self, accept: str, application: Any) -> None:
        stream, _ = await answered(application, body=HELLO, accept=accept)
        assert (stream.status, media_type(stream)) in [(200, JSON), (200, RESPONSE)]

    def test_any_media_type_prefers_events(self) -> None:
        assert preferred("*/*", (EVENT_STREAM, MULTIPART)) == EVENT_STREAM


REFUSED: list[tuple[int, str, dict[str, Any]]] = [
    (400, "POST", {"body": []}),
    (401, "POST", {"body": HELLO, "authorization": "Bearer nonsense"}),
    (403, "POST", {"body": HELLO, "cookie": "a=b", "origin": "https://evil.example"}),
    (405, "PATCH", {}),
    (406, "POST", {"body": COUNT}),
    (413, "POST", {"body": {**HELLO, "padding": "x" * 1024 * 1024}}),
    (415, "POST", {"content_type": "text/plain"}),
]


@pytest.mark.django_db(transaction=True)
class TestRefusals:
    @pytest.mark.parametrize(
        ("accept", "expected"),
        [
            (RESPONSE, RESPONSE),
            (f"{RESPONSE},{JSON};q=0.9", RESPONSE),
            (OTHERS[2], RESPONSE),
            (JSON, JSON),
            ("text/plain", JSON),
        ],
    )
    @pytest.mark.parametrize(("status", "method", "request_"), REFUSED, ids=str)
    async def test_they_are_of_the_media_type_that_was_asked_for(
        self,
        status: int,
        method: str,
        request_: dict[str, Any],
        accept: str,
        expected: str,
        application: Any,
    ) -> None:
        app = ViewerMiddleware(application)
        stream, body = await answered(app, method, accept=accept, **request_)
        assert (stream.status, media_type(stream)) == (status, expected)
        [error] = json.loads(body)["errors"]
        assert error["extensions"]["code"] in {
            "BAD_REQUEST",
            "ORIGIN_NOT_ALLOWED",
            "UNAUTHENTICATED",
        }
        assert "Accept" in stream.headers["vary"]

    async def test_a_stream_too_many_is_refused_likewise(
        self, application: Any, settings: Any
    ) -> None:
        settings.REALTIME = {**settings.REALTIME, "MAX_ANONYMOUS_CONNECTIONS": 0}
        app = ViewerMiddleware(application)
        accept = f"{EVENT_STREAM},{RESPONSE};q=0.9"
        stream, body = await answered(app, body=COUNT, accept=accept)
        assert (stream.status, media_type(stream)) == (429, RESPONSE)
        assert "TOO_MANY_CONNECTIONS" in body
        assert "Accept" in stream.headers["vary"]


class TestVary:
    @pytest.mark.parametrize("accept", [JSON, RESPONSE, EVENT_STREAM, "text/plain", None])
    @pytest.mark.parametrize("query", ["{ __typename }", "{ unknown }", "{"])
    async def test_a_post_depends_on_accept(
        self, query: str, accept: str | None, application: Any
    ) -> None:
        stream, _ = await answered(application, body={"query": query}, accept=accept)
        assert stream.headers["vary"] == "Accept, Origin"

    @pytest.mark.parametrize("accept", [JSON, RESPONSE, EVENT_STREAM, "text/html", "text/plain"])
    async def test_a_get_depends_on_accept(self, accept: str, application: Any) -> None:
        query = "query=%7B__typename%7D"
        stream, _ = await answered(application, "GET", query_string=query, accept=accept)
        assert stream.headers["vary"] == "Accept, Origin"

    @pytest.mark.parametrize("accept", [EVENT_STREAM, MULTIPART])
    async def test_a_subscription_depends_on_accept(self, accept: str, application: Any) -> None:
        stream, _ = await answered(application, body=COUNT, accept=accept)
        assert stream.headers["vary"] == "Accept, Origin"

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
    async def test_other_methods_depend_on_it_too(self, method: str, application: Any) -> None:
        stream, _ = await answered(application, method)
        assert stream.headers["vary"] == "Accept, Origin"

    async def test_what_an_answer_depends_on_besides_is_kept(self) -> None:
        class Handler(HTTPHandler):
            async def render_explorer(self, request: Any, explorer: Any) -> HTMLResponse:
                return HTMLResponse("", headers={"Vary": "Cookie"})

        schema = make_executable_schema("type Query { hello: String }")
        app = graphql_app(schema, explorer=ExplorerGraphiQL(), http_handler=Handler())
        stream, _ = await answered(app, "GET", accept="text/html")
        assert stream.headers["vary"] == "Cookie, Accept, Origin"
