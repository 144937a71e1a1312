"""What caches may keep: nothing that depends on who asked."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.http import HttpResponse
from django.test import Client, RequestFactory

from accounts.models import User
from django_project.caching import PrivatePages
from tests.django_project.test_http import JSON, query_string, send

PRIVATE = "private, no-store"
HELLO = query_string(query="{ hello }")


@pytest.fixture
def cookie(users: tuple[User, User]) -> str:
    client = Client()
    client.force_login(users[0])
    name = django_settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"


@pytest.mark.parametrize(
    "path",
    [HELLO, query_string(query="{ me { username } }"), query_string(query="{ nothing }")],
)
async def test_an_answer_to_a_get_with_a_cookie_is_kept_nowhere(
    path: str, cookie: str, application: Any
) -> None:
    answer = await send(application, "GET", path, cookie=cookie, apollo_require_preflight="true")
    assert answer.media_type == JSON
    assert answer.headers["cache-control"] == PRIVATE


async def test_an_answer_to_a_get_with_a_token_is_kept_nowhere(
    cookie: str, application: Any
) -> None:
    token = cookie.partition("=")[2]
    answer = await send(application, "GET", HELLO, authorization=f"Bearer {token}")
    assert (answer.status, answer.headers["cache-control"]) == (200, PRIVATE)


async def test_a_refused_get_with_a_cookie_is_kept_nowhere(application: Any) -> None:
    answer = await send(application, "GET", HELLO, cookie="a=b")
    assert (answer.status, answer.headers["cache-control"]) == (403, PRIVATE)


async def test_a_stream_is_kept_nowhere(application: Any) -> None:
    answer = await send(application, "GET", HELLO, accept="text/event-stream")
    assert answer.headers["cache-control"] == f"{PRIVATE}, no-transform"


async def test_caches_may_keep_an_answer_to_a_get_without_credentials(application: Any) -> None:
    answer = await send(application, "GET", HELLO)
    assert (answer.status, "cache-control" in answer.headers) == (200, False)


@pytest.mark.parametrize("path", ["/", "/docs/", "/docs/security.md"])
async def test_a_page_is_private_if_it_depends_on_the_session(
    path: str, cookie: str, application: Any
) -> None:
    answer = await send(application, "GET", path, cookie=cookie)
    depends = "Cookie" in answer.headers.get("vary", "")
    assert answer.headers.get("cache-control") == (PRIVATE if depends else None)


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/"])
async def test_the_admin_is_kept_nowhere(path: str, cookie: str, application: Any) -> None:
    answer = await send(application, "GET", path, cookie=cookie)
    assert {"private", "no-store"} <= set(answer.headers["cache-control"].split(", "))


class TestPrivatePages:
    def answered(self, **headers: str) -> HttpResponse:
        pages = PrivatePages(lambda _: HttpResponse(headers=headers))
        response = pages(RequestFactory().get("/"))
        assert isinstance(response, HttpResponse)
        return response

    def test_what_depends_on_cookies_is_private(self) -> None:
        assert self.answered(Vary="Accept, Cookie")["Cache-Control"] == "private, no-store"

    def test_other_pages_are_not(self) -> None:
        assert "Cache-Control" not in self.answered(Vary="Accept")

    def test_what_a_page_says_for_itself_stays(self) -> None:
        given = {"Vary": "Cookie", "Cache-Control": "max-age=1"}
        assert self.answered(**given)["Cache-Control"] == "max-age=1"
