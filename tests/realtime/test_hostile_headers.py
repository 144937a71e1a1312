"""What headers and addresses of a client's choice cost: little, and in proportion to their length.

Each parser gets what a head of 64 KiB may hold, whatever the limits before it admit.
"""

from collections.abc import Callable
from contextlib import suppress
from time import thread_time
from typing import Any

import pytest
from ariadne import make_executable_schema
from channels.testing import ApplicationCommunicator
from django.http.cookie import parse_cookie
from starlette.datastructures import QueryParams

from realtime import cursor
from realtime.asgi import graphql_app
from realtime.authentication import ViewerMiddleware
from realtime.sessions import bearer, is_key
from realtime.transports import header_limits
from realtime.transports.header_limits import MAX_SIZES, too_large
from realtime.transports.negotiation import JSON, MAX_ACCEPT, RESPONSE, preferred
from realtime.transports.origins import MAX_ORIGIN, normalized
from tests.realtime.streams import HttpStream

LENGTH = 15_000
"""Characters of the shorter text; the longer one has four times as many."""


def admitted_cookies(text: str) -> None:
    if too_large({"headers": [(b"cookie", text.encode())]}) is None:
        parse_cookie(text)


def admitted_query(text: str) -> None:
    QueryParams(text)


def read_cursor(text: str) -> None:
    with suppress(ValueError):
        cursor.from_text(text, ["topic"])


def accept(text: str) -> None:
    preferred(text, (JSON, RESPONSE))


HOSTILE: dict[str, tuple[Callable[[str], Any], Callable[[int], str]]] = {
    "Accept: spaces": (accept, lambda n: "a/b" + " " * n + "x"),
    "Accept: parameters": (accept, lambda n: "a/b" + ";" * n),
    "Accept: quoted parameters": (accept, lambda n: 'a/b;"' + ";" * n),
    "Accept: media types": (accept, lambda n: "a/b," * (n // 4)),
    "Cookie: backslashes": (admitted_cookies, lambda n: 'a="' + "\\" * n + '"'),
    "Cookie: octal escapes": (admitted_cookies, lambda n: 'a="' + "\\054" * (n // 4) + '"'),
    "Cookie: cookies with escapes": (admitted_cookies, lambda n: 'a="\\\\"; ' * (n // 8)),
    "Cookie: quotes": (admitted_cookies, lambda n: 'a="' + '"' * n),
    "Cookie: cookies": (admitted_cookies, lambda n: "a=b;" * (n // 4)),
    "Origin: a host name": (normalized, lambda n: "https://" + "a." * (n // 2)),
    "Origin: not ASCII": (normalized, lambda n: "https://" + "é." * (n // 2)),
    "Origin: an IPv6 address": (normalized, lambda n: "https://[" + ":" * n + "]"),
    "Origin: a scheme": (normalized, lambda n: "a" * n),
    "Authorization: spaces": (bearer, lambda n: "Bearer " + " " * n + "x"),
    "a session's key": (is_key, lambda n: "a" * n),
    "a cursor": (read_cursor, lambda n: "a-1," * (n // 4)),
    "the query string": (admitted_query, lambda n: "a&" * (n // 2)),
    "a query string of escapes": (admitted_query, lambda n: "%" * n),
}


def seconds(parse: Callable[[str], Any], text: str) -> float:
    """Return the least CPU time of several attempts to parse a text."""
    times = []
    for _ in range(3):
        start = thread_time()
        parse(text)
        times.append(thread_time() - start)
    return min(times)


@pytest.mark.parametrize(("parse", "make"), HOSTILE.values(), ids=HOSTILE)
def test_four_times_the_length_costs_at_most_eight_times_the_cpu(
    parse: Callable[[str], Any], make: Callable[[int], str]
) -> None:
    least = 0.000_5  # below that the clock says little
    assert seconds(parse, make(4 * LENGTH)) <= 8 * max(least, seconds(parse, make(LENGTH)))


class TestAccept:
    def test_a_longer_one_says_nothing(self) -> None:
        text = f"{RESPONSE}," + "a" * MAX_ACCEPT
        assert preferred(text, (JSON, RESPONSE)) == JSON

    def test_one_at_the_limit_is_heeded(self) -> None:
        text = f"{RESPONSE},".ljust(MAX_ACCEPT, "a")
        assert preferred(text, (JSON, RESPONSE)) == RESPONSE

    @pytest.mark.parametrize("text", [f"{RESPONSE} ; charset=utf-8;q=1", f" {RESPONSE};a=b ,x/y"])
    def test_parameters_of_others_do_not_matter(self, text: str) -> None:
        assert preferred(text, (JSON, RESPONSE)) == RESPONSE


def test_an_origin_may_be_as_long_as_a_host_name() -> None:
    host = ".".join(["a" * 62] * 4)
    assert normalized(f"https://{host}") == f"https://{host}"
    assert normalized("https://" + "a" * MAX_ORIGIN) is None


class TestTooLarge:
    @pytest.mark.parametrize("name", MAX_SIZES)
    def test_headers_of_one_name_count_together(self, name: bytes) -> None:
        half = b"\\" * (MAX_SIZES[name] // 2)
        assert too_large({"headers": [(name, half)] * 2}) is None
        assert too_large({"headers": [(name, half)] * 3}) == name.decode().title()

    def test_cookies_without_backslashes_do_not_count(self) -> None:
        cookies = b'a="\\054"; ' + b"b=c; " * 10_000
        assert too_large({"headers": [(b"cookie", cookies)]}) is None

    def test_other_headers_do_not_count(self) -> None:
        assert too_large({"headers": [(b"x-large", b"\\" * 60_000)]}) is None


SCHEMA = make_executable_schema("type Query { hello: String }")
HEADERS = {"cookie": 'a="' + "\\" * 8_000 + '"', "content_type": "a/b;" + ";" * 8_000}


class TestTheApplication:
    @pytest.fixture
    def application(self) -> Any:
        return ViewerMiddleware(graphql_app(SCHEMA))

    @pytest.mark.parametrize("name", HEADERS)
    async def test_what_is_too_large_is_refused(self, name: str, application: Any) -> None:
        stream = HttpStream(application, **{name: HEADERS[name]})
        assert await stream.open() == 431
        assert "is too large" in await stream.rest()

    async def test_a_handshake_is_refused_likewise(self, application: Any) -> None:
        headers = [(b"cookie", HEADERS["cookie"].encode()), (b"origin", b"http://testserver")]
        scope = {"type": "websocket", "path": "/", "headers": headers, "subprotocols": []}
        communicator = ApplicationCommunicator(application, scope)
        await communicator.send_input({"type": "websocket.connect"})
        assert (await communicator.receive_output())["type"] == "websocket.close"

    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    async def test_an_address_has_so_many_parameters(self, method: str, application: Any) -> None:
        stream = HttpStream(application, method, query_string="a&" * 100)
        assert await stream.open() == 400
        assert "100 parameters at most" in await stream.rest()


def test_the_reason_is_written_down() -> None:
    assert "CVE-2024-7592" in (header_limits.__doc__ or "")
