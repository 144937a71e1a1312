"""GraphQL over HTTP: negotiation, what is refused, and what other origins may do."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from channels.testing import HttpCommunicator

from realtime.testing import ConnectionClosedError, GraphQLClient
from tests.django_project.conftest import post

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
HELLO = {"query": "{ hello }"}
DATA = {"data": {"hello": "Hello world!"}}


@dataclass(frozen=True)
class Answer:
    status: int
    media_type: str
    body: bytes
    headers: dict[str, str]

    @property
    def message(self) -> str:
        """The message of the first error."""
        message: str = json.loads(self.body)["errors"][0]["message"]
        return message


async def send(
    application: Any, method: str, path: str = "/graphql/", body: Any = b"", **headers: str
) -> Answer:
    """Send a request, whose body may be given as JSON; headers with underscores for hyphens."""
    given = {"host": "127.0.0.1", **headers}
    communicator = HttpCommunicator(
        application,
        method,
        path,
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        headers=[(name.replace("_", "-").encode(), given[name].encode()) for name in given],
    )
    response = await communicator.get_response(timeout=10)
    await communicator.wait(timeout=10)  # Django tidies up after its answer
    answered = {name.decode().lower(): value.decode() for name, value in response["headers"]}
    media_type = answered.get("content-type", "").partition(";")[0]
    return Answer(response["status"], media_type, response["body"], answered)


def query_string(**parameters: str) -> str:
    return f"/graphql/?{urlencode(parameters)}"


class TestMediaTypes:
    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            ("", JSON),
            ("*/*", JSON),
            ("application/*", JSON),
            (JSON, JSON),
            (RESPONSE, RESPONSE),
            (f"{RESPONSE}, {JSON};q=0.9", RESPONSE),
            (f"{RESPONSE};q=0.5, {JSON}", JSON),
            (f"{JSON}; q=0.1, {RESPONSE}", RESPONSE),
            (f"{RESPONSE} ; charset=utf-8 ; q=0.5, {JSON}", JSON),
            ("application/JSON; charset=utf-8", JSON),
        ],
    )
    async def test_the_client_chooses(self, accept: str, media_type: str, application: Any) -> None:
        answer = await send(application, "POST", body=HELLO, content_type=JSON, accept=accept)
        assert (answer.status, answer.media_type) == (200, media_type)
        assert json.loads(answer.body) == DATA

    @pytest.mark.parametrize("accept", ["text/plain", "image/*", f"{JSON};q=0"])
    async def test_nothing_acceptable(self, accept: str, application: Any) -> None:
        answer = await send(application, "POST", body=HELLO, content_type=JSON, accept=accept)
        assert answer.status == 406
        assert answer.message == f"Accept {RESPONSE}, {JSON} or text/event-stream"

    @pytest.mark.parametrize(
        ("query", "media_type", "status"),
        [
            ("{", JSON, 200),
            ("{", RESPONSE, 400),
            ("{ unknown }", JSON, 200),
            ("{ unknown }", RESPONSE, 400),
            ("query ($id: String!) { messages(userId: $id) { success } }", JSON, 200),
            ("query ($id: String!) { messages(userId: $id) { success } }", RESPONSE, 400),
        ],
    )
    async def test_the_status_of_an_operation_that_cannot_run(
        self, query: str, media_type: str, status: int, application: Any
    ) -> None:
        body = {"query": query}
        answer = await send(application, "POST", body=body, content_type=JSON, accept=media_type)
        assert answer.status == status
        assert answer.message
        assert "data" not in json.loads(answer.body)

    async def test_what_was_executed_is_200_though_data_is_null(
        self, application: Any, settings: Any
    ) -> None:
        settings.CLEW_DEMO = False
        answer = await send(application, "POST", body=HELLO, content_type=JSON, accept=RESPONSE)
        assert answer.status == 200
        assert json.loads(answer.body)["data"] is None

    @pytest.mark.parametrize(
        "content_type",
        [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "",
            "application/json; charset=utf-16",
        ],
    )
    async def test_other_bodies_are_refused(self, content_type: str, application: Any) -> None:
        answer = await send(application, "POST", body=HELLO, content_type=content_type)
        assert (answer.status, answer.message) == (415, f"The body must be {JSON}, in UTF-8")

    async def test_a_content_type_may_have_parameters(self, application: Any) -> None:
        content_type = 'Application/JSON; charset="UTF-8"'
        answer = await send(application, "POST", body=HELLO, content_type=content_type)
        assert json.loads(answer.body) == DATA


class TestMethods:
    async def test_a_query_by_get(self, application: Any) -> None:
        path = query_string(
            query="query H($no: Boolean!) { hello @skip(if: $no) }",
            variables='{"no": false}',
            operationName="H",
        )
        assert json.loads((await send(application, "GET", path)).body) == DATA

    async def test_a_mutation_by_get_is_refused(self, application: Any) -> None:
        path = query_string(query='mutation { createUser(username: "x") { success } }')
        answer = await send(application, "GET", path)
        assert (answer.status, answer.message) == (405, "Send a mutation by POST")
        assert "POST" in answer.headers["allow"]

    @pytest.mark.parametrize("method", ["PATCH", "TRACE"])
    async def test_other_methods_are_refused(self, method: str, application: Any) -> None:
        answer = await send(application, method, body=HELLO, content_type=JSON)
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, POST, PUT, DELETE, OPTIONS"

    async def test_a_browser_gets_graphiql(self, application: Any) -> None:
        accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        answer = await send(application, "GET", query_string(query="{ hello }"), accept=accept)
        assert (answer.status, answer.media_type) == (200, "text/html")
        assert b"graphiql.js" in answer.body

    async def test_a_get_that_a_foreign_page_could_send_with_cookies_is_refused(
        self, application: Any
    ) -> None:
        path = query_string(query="{ hello }")
        answer = await send(application, "GET", path, cookie="sessionid=x")
        assert answer.status == 403
        asked = {"cookie": "sessionid=x", "apollo_require_preflight": "true"}
        assert json.loads((await send(application, "GET", path, **asked)).body) == DATA


class TestParameters:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ([HELLO], "Batches are not supported: send one operation a request"),
            ("text", "The body must be a JSON object"),
            ({}, "The parameter query must be a non-empty string"),
            ({"query": 1}, "The parameter query must be a non-empty string"),
            ({**HELLO, "variables": []}, "The parameter variables must be an object or null"),
            ({**HELLO, "extensions": 1}, "The parameter extensions must be an object or null"),
            ({**HELLO, "operationName": 1}, "The parameter operationName must be a string or null"),
        ],
    )
    async def test_what_is_wrong_is_said(self, body: Any, message: str, application: Any) -> None:
        answer = await send(application, "POST", body=body, content_type=JSON)
        assert (answer.status, answer.message) == (400, message)

    @pytest.mark.parametrize("body", [b"", b"{", b"[" * 10_000, b"\xff", b'"\\ud800"', b"NaN"])
    async def test_a_body_that_is_no_json_is_refused(self, body: bytes, application: Any) -> None:
        answer = await send(application, "POST", body=body, content_type=JSON)
        assert answer.status == 400
        assert answer.message.startswith("The body is not valid JSON: ")

    async def test_variables_that_are_no_json_are_refused(self, application: Any) -> None:
        answer = await send(application, "GET", query_string(query="{ hello }", variables="{"))
        assert answer.message.startswith("The parameter variables is not valid JSON: ")

    async def test_a_body_over_the_limit_is_refused(self, application: Any) -> None:
        body = {**HELLO, "padding": "x" * 1024 * 1024}
        answer = await send(application, "POST", body=body, content_type=JSON)
        assert (answer.status, answer.message) == (413, "The body may have 1048576 bytes at most")

    async def test_unknown_parameters_are_ignored(self, application: Any) -> None:
        body = {**HELLO, "unknown": 1}
        answer = await send(application, "POST", body=body, content_type=JSON)
        assert json.loads(answer.body) == DATA


class TestHosts:
    """Against DNS rebinding: a page under a name of its own that now means this machine."""

    async def test_another_host_name_is_refused(self, application: Any) -> None:
        answer = await send(application, "POST", body=HELLO, content_type=JSON, host="evil.example")
        assert (answer.status, answer.body) == (400, b"This host is not in ALLOWED_HOSTS.")

    async def test_also_over_a_socket(self, application: Any) -> None:
        headers = {"host": "evil.example:8000", "origin": "http://evil.example:8000"}
        with pytest.raises(ConnectionClosedError):
            await GraphQLClient(application, headers=headers).connect()

    @pytest.mark.parametrize("host", ["LOCALHOST", "localhost:80", "LocalHost:8000"])
    async def test_case_and_port_of_a_host_do_not_matter(self, host: str, application: Any) -> None:
        answer = await send(application, "POST", body=HELLO, content_type=JSON, host=host)
        assert json.loads(answer.body) == DATA


class TestOrigins:
    async def test_a_refused_one_is_a_line_that_names_the_setting(
        self, application: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        origin = "https://named.example"
        await send(application, "OPTIONS", origin=origin, access_control_request_method="POST")
        assert caplog.messages == [
            "Origin 'https://named.example' is refused: "
            "list it in CORS_ALLOWED_ORIGINS if its pages may use this server."
        ]

    async def test_an_allowed_one_may_send_any_header(self, application: Any) -> None:
        names = "traceparent,cache-control,x-request-id"
        answer = await send(
            application,
            "OPTIONS",
            origin="https://app.example.org",
            access_control_request_method="POST",
            access_control_request_headers=names,
        )
        assert (answer.status, answer.headers["access-control-allow-headers"]) == (200, names)

    async def test_no_header_is_doubled(self, application: Any) -> None:
        communicator = HttpCommunicator(
            application,
            "POST",
            "/graphql/",
            body=json.dumps(HELLO).encode(),
            headers=[
                (b"host", b"127.0.0.1"),
                (b"content-type", JSON.encode()),
                (b"origin", b"https://app.example.org"),
            ],
        )
        response = await communicator.get_response(timeout=10)
        names = [name.lower() for name, _ in response["headers"]]
        assert len(names) == len(set(names))

    async def test_an_allowed_one_may_call_with_the_users_cookie(self, application: Any) -> None:
        origin = {"origin": "https://app.example.org"}
        _, headers = await post(application, "{ hello }", headers=origin)
        assert headers["access-control-allow-origin"] == "https://app.example.org"
        assert headers["access-control-allow-credentials"] == "true"

    async def test_another_may_not(self, application: Any) -> None:
        origin = {"origin": "https://evil.example"}
        _, headers = await post(application, "{ hello }", headers=origin)
        assert "access-control-allow-origin" not in headers
        preflight = await send(
            application, "OPTIONS", **origin, access_control_request_method="POST"
        )
        assert preflight.status == 400
