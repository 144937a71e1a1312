"""What the log does not tell: passwords, tokens, and what people write to each other."""

import logging
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import IntegrityError
from django.utils.module_loading import import_string

from accounts.models import User
from messaging.models import Message
from realtime.testing import ConnectionClosedError, GraphQLClient, OperationError
from tests.django_project.conftest import post
from tests.django_project.test_http import send

SECRET = "only-for-your-eyes"
LOGIN = """mutation ($username: String!, $password: String!) {
    login(username: $username, password: $password) { ok } }"""
WRITE = """mutation ($from: String!, $to: String!, $content: String!) {
    createMessage(senderId: $from, recipientId: $to, content: $content) { success errors } }"""
REFUSED = f"""new row for relation "messaging_message" violates check constraint "short"
DETAIL:  Failing row contains (1, {SECRET}
and more of {SECRET}, 1, 2)."""


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Take all down that is logged, as the project writes it."""
    logging_settings: Any = settings.LOGGING
    plain = logging_settings["formatters"]["plain"]
    formatter = import_string(plain["class"])(plain["format"], style=plain["style"])
    monkeypatch.setattr(caplog.handler, "formatter", formatter)
    for name in ("", "django", "django_project", "realtime"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(**_: Any) -> None:
        try:
            raise IntegrityError(REFUSED)  # the driver's, which Django wraps
        except IntegrityError as error:
            raise IntegrityError(*error.args) from error

    monkeypatch.setattr(Message.objects, "create", create)


@pytest.mark.parametrize("username", ["user_one", "nobody"])
async def test_passwords(username: str, application: Any, log: Any) -> None:
    await User.objects.acreate_user("user_one", "", "another password")
    result, _ = await post(application, LOGIN, username=username, password=SECRET)
    assert result["data"] == {"login": {"ok": False}}
    assert SECRET not in log.text


async def test_sessions(application: Any, log: Any) -> None:
    await User.objects.acreate_user("user_one", "", SECRET)
    _, headers = await post(application, LOGIN, username="user_one", password=SECRET)
    cookie = headers["set-cookie"].partition(";")[0]
    await post(application, "{ hello }", headers={"cookie": cookie})
    assert cookie.partition("=")[2] not in log.text
    assert SECRET not in log.text


@pytest.mark.parametrize(
    ("query", "content"),
    [
        (WRITE, SECRET),
        (WRITE, SECRET * 1000),
        (WRITE, [SECRET]),
        (WRITE + SECRET, ""),
        (f'mutation {{ createMessage(content: "{SECRET}") {{ success }} }}', ""),
        (f"{{ {SECRET.replace('-', '_')} }}", ""),
    ],
    ids=["right", "too long", "no text", "no syntax", "arguments missing", "no such field"],
)
async def test_messages(
    query: str, content: Any, application: Any, users: tuple[User, User], log: Any
) -> None:
    one, two = users
    await post(application, query, **{"from": one.pk, "to": two.pk, "content": content})
    assert SECRET not in log.text
    assert SECRET.replace("-", "_") not in log.text


async def test_messages_that_the_database_refuses(
    application: Any, users: tuple[User, User], failing: None, log: Any
) -> None:
    one, two = (str(user.pk) for user in users)
    variables: dict[str, Any] = {"from": one, "to": two, "content": SECRET}
    result, _ = await post(application, WRITE, **variables)
    assert result["errors"][0]["message"] == "Internal server error"
    assert 'violates check constraint "short"' in log.text
    assert SECRET not in log.text


async def test_a_token_that_is_none(application: Any, log: Any) -> None:
    payload = {"authorization": f"Bearer {SECRET}"}
    with pytest.raises(ConnectionClosedError):
        await GraphQLClient(application, payload=payload).connect()
    await post(application, "{ hello }", headers=payload)
    assert SECRET not in log.text


async def test_what_comes_over_a_socket(
    application: Any, users: tuple[User, User], failing: None, log: Any
) -> None:
    one, two = (str(user.pk) for user in users)
    variables: dict[str, Any] = {"from": one, "to": two, "content": SECRET}
    async with GraphQLClient(application) as client:
        with pytest.raises(OperationError):
            await client.mutate(WRITE, variables)
    assert 'violates check constraint "short"' in log.text
    assert SECRET not in log.text


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nowhere"), ("POST", "/publish-message"), ("GET", "/graphql/")]
)
async def test_query_strings(method: str, path: str, application: Any, log: Any) -> None:
    query = urlencode({"message": SECRET * 100, "query": SECRET, "token": SECRET})
    await send(application, method, f"{path}?{query}")
    assert SECRET not in log.text


async def test_a_long_path_is_cut(application: Any, log: Any) -> None:
    await send(application, "GET", "/" + "x" * 60_000)
    assert "Not Found: /xxx" in log.text
    assert len(log.text) < 3_000


async def test_a_host_that_is_not_allowed_is_one_line(application: Any, log: Any) -> None:
    await send(application, "GET", "/", host="evil.example.org")
    assert "Invalid HTTP_HOST header" in log.text
    assert "Traceback" not in log.text
