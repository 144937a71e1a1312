"""Bodies that Django need not read."""

from typing import Any

import pytest
from channels.testing import HttpCommunicator

from django_project.bodies import LimitedBodies

PATHS = ["/", "/admin/login/", "/nowhere", "/docs/"]


async def status(application: Any, path: str, body: bytes, **headers: str) -> int:
    """Return the status of a POST, whose length is told only if it is among the headers."""
    given = [(b"host", b"127.0.0.1"), *((n.encode(), v.encode()) for n, v in headers.items())]
    communicator = HttpCommunicator(application, "POST", path, body=body, headers=given)
    answer: int = (await communicator.get_response(timeout=10))["status"]
    await communicator.wait(timeout=10)  # Django tidies up after its answer
    return answer


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_that_says_it_is_too_large_is_refused_unread(
    path: str, application: Any
) -> None:
    assert await status(application, path, b"", **{"content-length": "400000000"}) == 413


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_that_becomes_too_large_is_refused(
    path: str, application: Any, settings: Any
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    assert await status(application, path, b"x" * 1_001) == 413


async def test_a_form_that_takes_long_to_parse_is_refused(application: Any) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert await status(application, "/admin/login/", b"%" * 300_000, **form) == 413


async def test_a_body_at_the_limit_reaches_django(application: Any, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    body = b"x" * 1_000
    assert await status(application, "/nowhere", body, **{"content-length": "1000"}) == 404


async def test_an_application_that_answers_early_goes_on_until_it_reads_too_much(
    settings: Any,
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10

    async def early(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        await receive()

    assert await status(LimitedBodies(early), "/", b"x" * 11) == 202
