"""GraphQL over HTTP: what is refused, and what other origins may do."""

import json
from typing import Any

import pytest
from channels.testing import HttpCommunicator

from tests.in_process import post

HELLO = json.dumps({"query": "{ hello }"}).encode()


async def send(application: Any, method: str, body: bytes, **headers: str) -> dict[str, Any]:
    communicator = HttpCommunicator(
        application,
        method,
        "/graphql/",
        body=body,
        headers=[
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ],
    )
    response: dict[str, Any] = await communicator.get_response(timeout=10)
    return response


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_what_a_browser_sends_across_origins_without_asking_is_refused(
    content_type: str, application: Any
) -> None:
    response = await send(application, "POST", HELLO, host="127.0.0.1", content_type=content_type)
    assert response["status"] == 400
    assert response["body"] == b"The body must be of type application/json"


async def test_a_content_type_may_have_parameters(application: Any) -> None:
    response = await send(
        application, "POST", HELLO, host="127.0.0.1", content_type="Application/JSON; charset=utf-8"
    )
    assert json.loads(response["body"]) == {"data": {"hello": "Hello world!"}}


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 10_000, b"\xff", b'"\\ud800"'])
async def test_a_body_that_is_no_json_is_refused(body: bytes, application: Any) -> None:
    response = await send(
        application, "POST", body, host="127.0.0.1", content_type="application/json"
    )
    assert response["status"] == 400
    assert response["body"].startswith(b"The body is not valid JSON: ")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "Operation data should be a JSON object"),
        ({}, "The query must be a string."),
        ({"query": "{ hello }", "variables": []}, "Query variables must be a null or an object."),
        ({"query": "{"}, "Syntax Error: Expected Name, found <EOF>."),
    ],
)
async def test_what_cannot_run_gets_an_error(data: Any, message: str, application: Any) -> None:
    response = await send(
        application,
        "POST",
        json.dumps(data).encode(),
        host="127.0.0.1",
        content_type="application/json",
    )
    assert response["status"] == 400
    assert json.loads(response["body"])["errors"][0]["message"] == message


async def test_an_allowed_origin_may_call_with_the_users_cookie(application: Any) -> None:
    _, headers = await post(application, "{ hello }", headers={"origin": "https://app.example.org"})
    assert headers["access-control-allow-origin"] == "https://app.example.org"
    assert headers["access-control-allow-credentials"] == "true"


async def test_another_origin_may_not(application: Any) -> None:
    _, headers = await post(application, "{ hello }", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in headers
    preflight = await send(
        application,
        "OPTIONS",
        b"",
        host="127.0.0.1",
        origin="https://evil.example",
        access_control_request_method="POST",
        access_control_request_headers="content-type",
    )
    assert preflight["status"] == 400
