import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.harness.http_client import GraphQLHTTP


class Echo(BaseHTTPRequestHandler):
    """Answer with the request's GraphQL parameters and cookie as the data, or as the query says."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = 200, json.dumps({"data": {**body, "cookie": self.headers["Cookie"]}})
        if body["query"] == "invalid":
            status, answer = 400, '{"errors": []}'
        if body["query"] == "broken":
            status, answer = 500, "<h1>Server Error</h1>"
        self.send_response(status)
        self.send_header("Set-Cookie", "sessionid=abc; Path=/")
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def echo_url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/graphql/"
        finally:
            server.shutdown()
            thread.join()


def test_post_sends_the_operation_and_keeps_cookies(echo_url: str) -> None:
    http = GraphQLHTTP(echo_url)

    assert http.post("{ me }") == {"data": {"query": "{ me }", "cookie": None}}
    assert http.post("{ me }", {"a": 1}, "Me") == {
        "data": {
            "query": "{ me }",
            "variables": {"a": 1},
            "operationName": "Me",
            "cookie": "sessionid=abc",
        }
    }
    assert http.cookie_header == {"Cookie": "sessionid=abc"}


def test_post_returns_a_graphql_error_whatever_its_status(echo_url: str) -> None:
    assert GraphQLHTTP(echo_url).post("invalid") == {"errors": []}


def test_post_raises_any_other_answer(echo_url: str) -> None:
    with pytest.raises(AssertionError, match="500: <h1>Server Error"):
        GraphQLHTTP(echo_url).post("broken")
