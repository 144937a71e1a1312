"""Headers that Django does not parse."""

from typing import Any

import pytest

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
