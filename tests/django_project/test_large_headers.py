"""Headers that Django does not parse, and what all others cost."""

from collections.abc import Callable
from time import process_time
from typing import Any

import pytest
from channels.testing import HttpCommunicator

from tests.django_project.test_http import send

PATHS = ["/", "/admin/login/", "/nowhere", "/graphql/"]
HEADERS = {
    "cookie": 'a="' + "\\" * 8_000 + '"',
    "content_type": 'a/b;"' + ";" * 8_000,
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", HEADERS)
async def test_headers_that_are_costly_to_parse_are_refused(
    name: str, path: str, application: Any
) -> None:
    answer = await send(application, "POST", path, **{name: HEADERS[name]})
    assert (answer.status, answer.headers["x-content-type-options"]) == (431, "nosniff")


async def test_many_ordinary_cookies_reach_django(application: Any) -> None:
    answer = await send(application, "GET", "/nowhere", cookie="a=b; " * 1_000)
    assert answer.status == 404


async def test_many_parameters_are_refused(application: Any) -> None:
    parameters = "&".join(["a=b"] * 1_001)
    answer = await send(application, "POST", f"/publish-message?{parameters}")
    assert answer.status == 400


async def test_a_page_of_a_name_that_no_file_could_have_is_not_found(application: Any) -> None:
    assert (await send(application, "GET", f"/docs/{'a' * 5_000}.md")).status == 404


NAMES = [
    "accept",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "authorization",
    "content-type",
    "cookie",
    "forwarded",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "last-event-id",
    "origin",
    "range",
    "referer",
    "sec-fetch-site",
    "user-agent",
    "x-forwarded-for",
    "x-graphql-event-stream-token",
    "x-requested-with",
]

PATTERNS: dict[str, Callable[[int], str]] = {
    "spaces": lambda n: "a/b" + " " * n + "x",
    "parameters": lambda n: "a/b" + ";" * n,
    "quoted parameters": lambda n: 'a/b;"' + ";" * n,
    "items": lambda n: "a," * (n // 2),
    "backslashes": lambda n: 'a="' + "\\" * n + '"',
    "ranges": lambda n: "bytes=" + "1-2," * (n // 4),
    "tags": lambda n: 'W/"a",' * (n // 6),
    "a host name": lambda n: "http://" + "é." * (n // 2),
    "a token": lambda n: "Bearer " + "a" * n,
}


async def seconds(application: Any, method: str, path: str, value: str) -> float:
    """Return the CPU time of requests that have the value in one header after another."""
    communicators = [
        HttpCommunicator(
            application,
            method,
            path,
            headers=[(b"host", b"127.0.0.1"), (name.encode(), value.encode("latin-1"))],
        )
        for name in NAMES
    ]
    start = process_time()
    for communicator in communicators:
        await communicator.get_response(timeout=30)
    spent = process_time() - start
    for communicator in communicators:
        await communicator.wait(timeout=10)
    return spent


@pytest.mark.parametrize("make", PATTERNS.values(), ids=PATTERNS)
@pytest.mark.parametrize(("method", "path"), [("POST", "/graphql/"), ("GET", "/nowhere")])
async def test_headers_of_four_times_the_length_cost_at_most_eight_times_the_cpu(
    method: str, path: str, make: Callable[[int], str], application: Any
) -> None:
    least = 0.05  # of all these requests, whose other costs are greater
    short = await seconds(application, method, path, make(15_000))
    assert await seconds(application, method, path, make(60_000)) <= 8 * max(least, short)
