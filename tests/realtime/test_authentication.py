"""Who is asking, while the secret key is being replaced."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client

from realtime.authentication import ViewerMiddleware
from realtime.database import in_database

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
