"""Who is asking, by which credentials, over every transport."""

import json
import re
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from ariadne import QueryType, SubscriptionType, make_executable_schema
from channels.testing import WebsocketCommunicator
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from realtime import sessions
from realtime.asgi import graphql_app
from realtime.authentication import ViewerMiddleware
from realtime.database import in_database
from realtime.protocols import DIALECTS
from realtime.testing import ConnectionClosedError, GraphQLClient
from tests.realtime.streams import HttpStream

MODERN = "graphql-transport-ws"

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_websocket_does_not_log_out_who_has_a_session_of_the_old_key(settings: Any) -> None:
    """Django gives such a session a new name, of which a WebSocket cannot tell the browser."""

    def logged_in() -> str:
        client = Client()
        client.force_login(get_user_model().objects.create(username="one"))
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    key = await in_database(logged_in)()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    users = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        users.append(scope["user"])

    scope = {
        "type": "websocket",
        "path": "/",
        "headers": [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={key}".encode())],
    }
    viewer = ViewerMiddleware(app)
    for _ in range(2):
        await viewer(dict(scope), None, None)  # type: ignore[arg-type]
    assert await Session.objects.filter(session_key=key).aexists()
    assert [user.is_authenticated for user in users] == [True, True]


ME = "{ me }"
TRANSPORTS = ("post", "get", "sse", "multipart", "handshake", *(d.SUBPROTOCOL for d in DIALECTS))
EVENT_STREAM, MULTIPART = "text/event-stream", "multipart/mixed;subscriptionSpec=1.0"


@pytest.fixture
def application() -> Any:
    query, subscription = QueryType(), SubscriptionType()

    @query.field("me")
    def me(_: Any, info: Any) -> str | None:
        return info.context["request"].scope["user"].username or None

    @subscription.source("me")
    async def source(_: Any, info: Any) -> AsyncGenerator[dict[str, str | None], None]:
        yield {"me": me(None, info)}

    schema = make_executable_schema(
        "type Query { me: String } type Subscription { me: String }",
        query,
        subscription,
    )
    return ViewerMiddleware(graphql_app(schema, allowed_origins=["https://app.example.org"]))


@pytest.fixture
def user(transactional_db: None) -> Any:
    return get_user_model().objects.create_user("one", password="old")


@pytest.fixture
def token(user: Any) -> str:
    return str(sessions.begin(sessions.opened(), user, address="").session.session_key)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class RefusedError(Exception):
    """Who asked was not let in."""


async def whom(application: Any, transport: str, **credentials: str) -> str | None:
    """Return who one is over a transport, with a `token` or a `cookie`. Raises RefusedError."""
    headers: dict[str, str] = {}
    if cookie := credentials.get("cookie"):
        headers |= {
            "cookie": f"{django_settings.SESSION_COOKIE_NAME}={cookie}",
            "origin": "http://testserver",
        }
    if transport in {"handshake", *(dialect.SUBPROTOCOL for dialect in DIALECTS)}:
        return await over_websocket(application, transport, headers, credentials.get("token"))
    if token := credentials.get("token"):
        headers["authorization"] = f"Bearer {token}"
    text = {"sse": "subscription { me }", "multipart": "subscription { me }"}.get(transport, ME)
    accept = {"sse": EVENT_STREAM, "multipart": MULTIPART}.get(transport, "application/json")
    asked: dict[str, Any] = {"body": {"query": text}}
    if transport == "get":
        asked = {"method": "GET", "query_string": urlencode({"query": text})}
        headers["apollo-require-preflight"] = "1"
    stream = HttpStream(application, accept=accept, **asked, **{"host": "testserver", **headers})
    status = await stream.open()
    body = await stream.rest()
    await stream.leave()
    if status == 401:
        assert "UNAUTHENTICATED" in body
        raise RefusedError
    assert status == 200, body
    found = re.search(r'"me":("(\w+)"|null)', body)
    assert found, body
    return found[2]


async def over_websocket(
    application: Any, transport: str, headers: dict[str, str], token: str | None
) -> str | None:
    payload = {"token": token} if token else None
    if transport == "handshake":
        headers = {**headers, "authorization": f"Bearer {token}"} if token else headers
        payload, transport = None, MODERN
    client = GraphQLClient(application, headers=headers, subprotocol=transport, payload=payload)
    try:
        async with client:
            name: str | None = (await client.query(ME))["me"]
            return name
    except ConnectionClosedError as error:
        if error.code != 4403:
            raise
        raise RefusedError from None


async def test_a_token_is_its_user_over_every_transport(
    application: Any, transport: str, token: str
) -> None:
    assert await whom(application, transport, token=token) == "one"


async def test_so_is_a_cookie(application: Any, transport: str, token: str) -> None:
    assert await whom(application, transport, cookie=token) == "one"


@pytest.mark.usefixtures("transactional_db")
async def test_who_has_neither_is_nobody(application: Any, transport: str) -> None:
    assert await whom(application, transport) is None


def end_session(user: Any) -> None:
    Session.objects.get().delete()


def expire(user: Any) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def deactivate(user: Any) -> None:
    user.is_active = False
    user.save()


def change_password(user: Any) -> None:
    user.set_password("new")
    user.save()


def delete(user: Any) -> None:
    user.delete()


@pytest.mark.parametrize("spoil", [end_session, expire, deactivate, change_password, delete])
async def test_a_session_that_is_over_is_refused(
    spoil: Callable[[Any], None], application: Any, transport: str, user: Any, token: str
) -> None:
    await in_database(spoil)(user)
    with pytest.raises(RefusedError):
        await whom(application, transport, token=token)
    assert await whom(application, transport, cookie=token) is None


async def test_a_session_of_another_secret_key_is_refused(
    application: Any, transport: str, token: str, settings: Any
) -> None:
    settings.SECRET_KEY = "another"
    with pytest.raises(RefusedError):
        await whom(application, transport, token=token)
    assert await whom(application, transport, cookie=token) is None


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("text", ["a" * 32, "short", "a" * 1000, "../../etc", "{}", "ä" * 32])
async def test_what_is_no_session_is_refused(text: str, application: Any, transport: str) -> None:
    with pytest.raises((RefusedError, UnicodeEncodeError)):
        await whom(application, transport, token=text)


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize(
    "payload",
    [
        {"token": "a\0" * 16},
        {"token": 1},
        {"token": ["a" * 32]},
        {"authorization": "Basic YTph"},
        {"authorization": {}},
        {"Authorization": ""},
    ],
)
async def test_what_is_no_token_in_an_init_is_refused(
    payload: dict[str, Any], application: Any, subprotocol: str
) -> None:
    with pytest.raises(ConnectionClosedError) as caught:
        async with GraphQLClient(application, subprotocol=subprotocol, payload=payload):
            pass
    assert caught.value.code == 4403


def nested(depth: int) -> dict[str, Any]:
    """Return a payload with a token far below where tokens are looked for."""
    payload: dict[str, Any] = {"token": "a" * 32}
    for _ in range(depth):
        payload = {"connectionParams": payload}
    return payload


def bearing(token: str) -> list[dict[str, Any]]:
    """Return the payloads in which clients send a token."""
    bearer = f"Bearer {token}"
    return [
        {"authorization": bearer},
        {"Authorization": bearer},
        {"AUTHORIZATION": f"bearer {token}"},
        {"token": token},
        {"authToken": token},
        {"authToken": bearer},
        {"accessToken": token},
        {"headers": {"Authorization": bearer}},
        {"connectionParams": {"token": token}},
        {"connectionParams": {"Authorization": bearer}},
        {"connectionParams": {"headers": {"authorization": bearer}}},
        {"token": None, "headers": {"Authorization": bearer}},
    ]


@pytest.mark.parametrize("payload", bearing("TOKEN"), ids=str)
async def test_a_token_is_read_wherever_clients_put_it(
    payload: dict[str, Any], application: Any, token: str, subprotocol: str
) -> None:
    payload = json.loads(json.dumps(payload).replace("TOKEN", token))
    async with GraphQLClient(application, subprotocol=subprotocol, payload=payload) as client:
        assert await client.query(ME) == {"me": "one"}


@pytest.mark.parametrize("payload", bearing("a" * 32), ids=str)
@pytest.mark.usefixtures("transactional_db")
async def test_an_invalid_token_is_refused_wherever_it_is(
    payload: dict[str, Any], application: Any, subprotocol: str
) -> None:
    """Nobody who meant to log in is taken for an anonymous client."""
    with pytest.raises(ConnectionClosedError) as caught:
        async with GraphQLClient(application, subprotocol=subprotocol, payload=payload):
            pass
    assert (caught.value.code, caught.value.reason) == (
        4403,
        "Invalid or expired token: log in again.",
    )


@pytest.mark.usefixtures("transactional_db")
async def test_a_payload_that_is_nested_deeply_does_no_harm(
    application: Any, subprotocol: str
) -> None:
    payload = nested(500)
    async with GraphQLClient(application, subprotocol=subprotocol, payload=payload) as client:
        assert await client.query(ME) == {"me": None}


@pytest.mark.parametrize(
    "engine", ["cache", "cached_db", "db", "file", "signed_cookies", "tests.realtime.engine"]
)
class TestEngines:
    """Whatever engine keeps the sessions."""

    @pytest.fixture(params=["post", "handshake", MODERN])
    def transport(self, request: pytest.FixtureRequest) -> str:
        name: str = request.param
        return name

    @pytest.fixture(autouse=True)
    def _engine(self, engine: str, settings: Any, tmp_path: Path) -> None:
        settings.SESSION_FILE_PATH = str(tmp_path)
        settings.SESSION_COOKIE_NAME = "login"
        settings.SESSION_ENGINE = (
            engine if "." in engine else f"django.contrib.sessions.backends.{engine}"
        )

    @pytest.fixture
    def token(self, _engine: None, user: Any) -> str:
        return str(sessions.begin(sessions.opened(), user, address="").session.session_key)

    async def test_a_token_is_its_user(self, application: Any, token: str, transport: str) -> None:
        assert await whom(application, transport, token=token) == "one"

    async def test_a_cookie_is_its_user(self, application: Any, token: str, transport: str) -> None:
        assert await whom(application, transport, cookie=token) == "one"

    async def test_a_cookie_that_django_has_set_is_its_user(
        self, application: Any, user: Any, transport: str, settings: Any
    ) -> None:
        def logged_in() -> str:
            client = Client()
            client.force_login(user)
            return client.cookies[settings.SESSION_COOKIE_NAME].value

        cookie = await in_database(logged_in)()
        assert await whom(application, transport, cookie=cookie) == "one"

    @pytest.mark.parametrize("spoil", [deactivate, change_password, delete])
    async def test_a_session_that_is_over_is_refused(
        self, spoil: Callable[[Any], None], application: Any, user: Any, token: str, transport: str
    ) -> None:
        await in_database(spoil)(user)
        with pytest.raises(RefusedError):
            await whom(application, transport, token=token)

    async def test_a_forged_session_is_refused(
        self, application: Any, token: str, transport: str
    ) -> None:
        with pytest.raises(RefusedError):
            await whom(application, transport, token=token[:-1] + "~")


async def test_a_token_goes_before_a_cookie(application: Any, transport: str, token: str) -> None:
    def of_another() -> str:
        other = get_user_model().objects.create_user("two")
        return str(sessions.begin(sessions.opened(), other, address="").session.session_key)

    other = await in_database(of_another)()
    assert await whom(application, transport, token=other, cookie=token) == "two"


class TestOrigins:
    OWN, ALLOWED = "http://testserver", "https://app.example.org"
    FOREIGN = (
        "null",
        "",
        "https://testserver",
        "http://testserver:8000",
        "http://testserver.evil.example",
        "http://eviltestserver",
        "http://testserver@evil.example",
        "http://app.example.org",
        "https://app.example.org:444",
        "https://app.example.org.evil.example",
        "https://evil.example?https://app.example.org",
    )

    @pytest.mark.parametrize("origin", FOREIGN)
    @pytest.mark.usefixtures("transactional_db")
    async def test_a_socket_of_a_foreign_page_is_refused(
        self, origin: str, application: Any, subprotocol: str
    ) -> None:
        headers = {"origin": origin}
        with pytest.raises(ConnectionClosedError):
            async with GraphQLClient(application, headers=headers, subprotocol=subprotocol):
                pass

    @pytest.mark.parametrize("origin", FOREIGN)
    @pytest.mark.parametrize("accept", ["application/json", EVENT_STREAM])
    async def test_a_request_of_a_foreign_page_with_a_cookie_is_refused(
        self, accept: str, origin: str, application: Any, token: str
    ) -> None:
        status = await self.status(application, accept, origin, cookie=f"sessionid={token}")
        assert status == 403

    @pytest.mark.parametrize("origin", [OWN, ALLOWED])
    async def test_those_that_are_allowed_may_bear_it(
        self, origin: str, application: Any, token: str, subprotocol: str
    ) -> None:
        cookie = f"sessionid={token}"
        assert await self.status(application, "application/json", origin, cookie=cookie) == 200
        headers = {"origin": origin, "cookie": cookie}
        async with GraphQLClient(application, headers=headers, subprotocol=subprotocol) as client:
            assert await client.query(ME) == {"me": "one"}

    async def test_a_foreign_page_that_has_a_token_may_ask(
        self, application: Any, token: str
    ) -> None:
        authorization = f"Bearer {token}"
        origin = "https://evil.example"
        status = await self.status(
            application, "application/json", origin, authorization=authorization
        )
        assert status == 200

    async def test_a_socket_with_a_cookie_and_no_origin_is_refused(
        self, application: Any, token: str, subprotocol: str
    ) -> None:
        communicator = WebsocketCommunicator(
            application,
            "/graphql/",
            headers=[(b"host", b"testserver"), (b"cookie", f"sessionid={token}".encode())],
            subprotocols=[subprotocol],
        )
        accepted, code = await communicator.connect()
        assert (accepted, code) == (False, 4403)

    @staticmethod
    async def status(application: Any, accept: str, origin: str, **headers: str) -> int:
        given = {"host": "testserver", "origin": origin, **headers}
        stream = HttpStream(application, body={"query": ME}, accept=accept, **given)
        status = await stream.open()
        await stream.rest()
        await stream.leave()
        return status
