"""Origins of pages: how they are compared, what allowed ones get, what the log says of others."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from ariadne import make_executable_schema
from ariadne.asgi import GraphQL

from realtime.asgi import graphql_app
from realtime.authentication import ViewerMiddleware
from realtime.protocols import DIALECTS
from realtime.testing import ConnectionClosedError, Socket
from realtime.transports.http import HTTPHandler
from realtime.transports.origins import MAX_REPORTED, Origins, normalized
from realtime.transports.websocket import WebSocketHandler
from tests.realtime.streams import HttpStream

ALLOWED = "https://app.example.org"
FOREIGN = "https://evil.example"
HELLO = {"query": "{ __typename }"}
ACCEPTS = ("application/json", "text/event-stream", "multipart/mixed;subscriptionSpec=1.0")

schema = make_executable_schema("type Query { hello: String } type Subscription { one: Int }")


def served_by_tls(app: Any) -> Any:
    """Return the application as a server with TLS, or behind a proxy with TLS, calls it."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        scheme = {"http": "https", "websocket": "wss"}[scope["type"]]
        await app({**scope, "scheme": scheme}, receive, send)

    return call


@pytest.fixture
def application() -> Any:
    return graphql_app(schema, allowed_origins=[ALLOWED])


async def request(app: Any, method: str = "POST", **headers: str) -> HttpStream:
    body = HELLO if method == "POST" else None
    query = "query=%7B__typename%7D" if method == "GET" else ""
    stream = HttpStream(app, method, body=body, query_string=query, **headers)
    await stream.open()
    await stream.rest()
    await stream.leave()
    return stream


async def is_let_in(app: Any, **headers: str) -> bool:
    try:
        async with Socket(app, headers=headers):
            return True
    except ConnectionClosedError:
        return False


class TestComparing:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("https://example.org", "https://example.org"),
            ("https://example.org:443", "https://example.org"),
            ("http://example.org:80", "http://example.org"),
            ("http://example.org:443", "http://example.org:443"),
            ("http://example.org:", "http://example.org"),
            ("HTTPS://Example.ORG:8443", "https://example.org:8443"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://[::1]:8000", "http://[::1]:8000"),
            ("http://[0:0:0:0:0:0:0:1]:80", "http://[::1]"),
            ("capacitor://localhost", "capacitor://localhost"),
        ],
    )
    def test_an_origin_is_written_as_browsers_write_it(self, given: str, expected: str) -> None:
        assert normalized(given) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "null",
            "*",
            "example.org",
            "https://",
            "https://example.org/",
            "https://example.org/path",
            "https://user@example.org",
            "https://example.org?query",
            "https://example.org#fragment",
            "https://example.org\n",
            "https://example.org:65536",
            "https://example.org:http",
            "https://[::1",
            "https://[::g]",
            "https://" + "ü" * 64,
        ],
    )
    def test_other_texts_are_not_origins(self, text: str) -> None:
        assert normalized(text) is None

    @pytest.mark.parametrize("wrong", ["null", "*", "app.example.org", ALLOWED + "/"])
    def test_a_wrong_setting_is_named(self, wrong: str) -> None:
        with pytest.raises(
            ValueError, match=r"allowed_origins has .* as https://app\.example\.org"
        ):
            graphql_app(schema, allowed_origins=[wrong])

    def test_a_text_instead_of_a_list_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="give a list of origins"):
            graphql_app(schema, allowed_origins=ALLOWED)


HOSTS = ("example.org", "example.org:443", "Example.ORG", "Example.ORG:443")


@pytest.mark.parametrize("host", HOSTS)
class TestOwnOrigin:
    """A proxy may pass on the host with its default port, or as somebody has typed it."""

    ORIGIN = "https://example.org"

    @pytest.mark.parametrize("subprotocol", [dialect.SUBPROTOCOL for dialect in DIALECTS])
    async def test_its_pages_may_open_a_socket(
        self, host: str, subprotocol: str, application: Any
    ) -> None:
        app = served_by_tls(application)
        async with Socket(
            app, headers={"host": host, "origin": self.ORIGIN}, subprotocols=[subprotocol]
        ):
            pass

    async def test_its_pages_may_ask_with_cookies(self, host: str, application: Any) -> None:
        app = served_by_tls(application)
        answer = await request(app, host=host, origin=self.ORIGIN, cookie="sessionid=x")
        assert answer.status == 200

    async def test_its_pages_may_get_with_cookies(self, host: str, application: Any) -> None:
        app = served_by_tls(application)
        referrer = f"{self.ORIGIN}/page"
        answer = await request(app, "GET", host=host, referer=referrer, cookie="sessionid=x")
        assert answer.status == 200

    async def test_the_scheme_counts(self, host: str, application: Any) -> None:
        assert not await is_let_in(application, host=host, origin=self.ORIGIN)


async def test_a_referrer_that_only_begins_like_the_own_origin_is_foreign(application: Any) -> None:
    referrer = "http://example.org.evil.example/"
    answer = await request(
        application, "GET", host="example.org", referer=referrer, cookie="sessionid=x"
    )
    assert answer.status == 403


async def test_an_allowed_origin_may_be_given_with_its_default_port() -> None:
    app = graphql_app(schema, allowed_origins=["https://App.example.org:443"])
    assert await is_let_in(app, origin=ALLOWED)
    answer = await request(app, origin=ALLOWED)
    assert answer.headers["access-control-allow-origin"] == ALLOWED


class TestCORS:
    @pytest.fixture(params=["graphql_app", "handlers of one's own"])
    def application(self, request: pytest.FixtureRequest) -> Any:
        if request.param == "graphql_app":
            return graphql_app(schema, allowed_origins=[ALLOWED])
        return GraphQL(
            schema,
            http_handler=HTTPHandler(allowed_origins=[ALLOWED]),
            websocket_handler=WebSocketHandler(allowed_origins=[ALLOWED]),
        )

    @staticmethod
    def is_readable(answer: HttpStream) -> bool:
        headers = answer.headers
        return (
            headers.get("access-control-allow-origin") == ALLOWED
            and headers.get("access-control-allow-credentials") == "true"
            and "Origin" in headers["vary"]
        )

    @pytest.mark.parametrize("accept", ACCEPTS)
    async def test_an_allowed_page_may_read_the_answer(self, accept: str, application: Any) -> None:
        assert self.is_readable(await request(application, origin=ALLOWED, accept=accept))

    async def test_an_allowed_page_may_read_a_stream(self, application: Any) -> None:
        stream = HttpStream(
            application,
            body={"query": "subscription { one }"},
            origin=ALLOWED,
            accept="text/event-stream",
        )
        await stream.open()
        await stream.leave()
        assert self.is_readable(stream)

    @pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
    async def test_an_allowed_page_may_read_a_refusal(self, method: str, application: Any) -> None:
        assert self.is_readable(await request(application, method, origin=ALLOWED))

    @pytest.mark.usefixtures("transactional_db")
    async def test_an_allowed_page_may_read_that_its_token_is_invalid(
        self, application: Any
    ) -> None:
        app = ViewerMiddleware(application)
        answer = await request(app, origin=ALLOWED, authorization="Bearer nonsense")
        assert answer.status == 401
        assert self.is_readable(answer)

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
    async def test_an_allowed_page_may_send_any_header(self, method: str, application: Any) -> None:
        names = "authorization,cache-control,content-type,traceparent,x-request-id"
        answer = await request(
            application,
            "OPTIONS",
            origin=ALLOWED,
            access_control_request_method=method,
            access_control_request_headers=names,
        )
        assert answer.status == 200
        assert answer.headers["access-control-allow-headers"] == names
        assert method in answer.headers["access-control-allow-methods"]
        assert self.is_readable(answer)

    async def test_a_foreign_page_may_not_read_the_answer(self, application: Any) -> None:
        answer = await request(application, origin=FOREIGN)
        assert not any("access-control" in name for name in answer.headers)

    async def test_the_preflight_of_a_foreign_page_is_refused(self, application: Any) -> None:
        answer = await request(
            application, "OPTIONS", origin=FOREIGN, access_control_request_method="POST"
        )
        assert answer.status == 400
        assert "access-control-allow-origin" not in answer.headers

    async def test_headers_are_not_doubled_by_a_middleware_around(self, application: Any) -> None:
        from starlette.middleware.cors import CORSMiddleware

        app = CORSMiddleware(application, allow_origins=[ALLOWED], allow_credentials=True)
        assert self.is_readable(await request(app, origin=ALLOWED))


Refuse = Callable[[Any, str], Any]


async def by_socket(app: Any, origin: str) -> None:
    assert not await is_let_in(app, origin=origin)


async def by_preflight(app: Any, origin: str) -> None:
    await request(app, "OPTIONS", origin=origin, access_control_request_method="POST")


async def by_post(app: Any, origin: str) -> None:
    await request(app, origin=origin)


async def by_get_with_a_cookie(app: Any, origin: str) -> None:
    await request(app, "GET", origin=origin, cookie="sessionid=x")


class TestLog:
    @pytest.mark.parametrize("refuse", [by_socket, by_preflight, by_post, by_get_with_a_cookie])
    async def test_a_refused_origin_is_one_line_that_names_the_setting(
        self, refuse: Refuse, application: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        await refuse(application, FOREIGN)
        await refuse(application, FOREIGN)
        assert caplog.messages == [
            "Origin 'https://evil.example' is refused: "
            "list it in allowed_origins if its pages may use this server."
        ]

    async def test_a_project_may_give_the_setting_a_name(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        origins = Origins([ALLOWED], setting="CORS_ALLOWED_ORIGINS")
        await by_socket(graphql_app(schema, allowed_origins=origins), FOREIGN)
        assert "list it in CORS_ALLOWED_ORIGINS" in caplog.text

    @pytest.mark.parametrize("origin", [ALLOWED, "http://testserver"])
    async def test_an_origin_that_is_let_in_is_not_logged(
        self, origin: str, application: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert await is_let_in(application, origin=origin)
        await request(application, origin=origin, host="testserver")
        assert caplog.messages == []

    def test_a_line_has_no_control_characters_and_an_end(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        Origins().report("evil\r\nERROR forged\x1b[2J" + "x" * 10_000)
        assert "\\r\\nERROR" in caplog.messages[0]
        assert caplog.messages[0].isprintable()
        assert len(caplog.messages[0]) < 400

    def test_few_origins_are_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        origins = Origins()
        with caplog.at_level(logging.WARNING):
            for number in range(MAX_REPORTED + 10):
                origins.report(f"https://{number}.example")
        assert len(caplog.messages) == MAX_REPORTED


async def test_a_refused_request_with_cookies_has_a_code_of_its_own(application: Any) -> None:
    stream = HttpStream(application, body=HELLO, origin=FOREIGN, cookie="sessionid=x")
    assert await stream.open() == 403
    [error] = json.loads(await stream.rest())["errors"]
    await stream.leave()
    assert error["extensions"] == {"code": "ORIGIN_NOT_ALLOWED"}
