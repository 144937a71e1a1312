"""People with rights and sessions, for the tests of who may what."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from realtime.testing import GraphQLClient

HOST = "127.0.0.1"
PASSWORD = "pass"


@dataclass(frozen=True)
class Person:
    """A user, and the headers of the user's browser on a page of ours."""

    user: User
    headers: dict[str, str]

    @property
    def id(self) -> str:
        return str(self.user.pk)

    @property
    def token(self) -> str:
        return self.headers["cookie"].partition("=")[2]

    def client(self, **options: Any) -> GraphQLClient:
        """Return a client that connects with the session's cookie."""
        return GraphQLClient(headers=self.headers, **options)


def person(name: str, *permissions: str, **fields: Any) -> Person:
    """Make a user who is logged in; with permissions (`app.action_model`), one of the staff."""
    fields = {"is_staff": bool(permissions), **fields}
    user = User.objects.create_user(name, f"{name}@example.org", PASSWORD, **fields)
    for permission in permissions:
        app, _, codename = permission.partition(".")
        found = Permission.objects.get(content_type__app_label=app, codename=codename)
        user.user_permissions.add(found)
    return logged_in(user)


def logged_in(user: User) -> Person:
    """Begin a session of a user."""
    browser = Client()
    browser.force_login(user)
    session = browser.cookies[settings.SESSION_COOKIE_NAME].value
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
    return Person(user, {"host": HOST, "origin": f"http://{HOST}", "cookie": cookie})


@pytest.fixture
def outside_demo(settings: Any) -> None:
    settings.CLEW_DEMO = False


@pytest.fixture
def ariadne(transactional_db: None) -> Person:
    return person("ariadne")


@pytest.fixture
def theseus(transactional_db: None) -> Person:
    return person("theseus")


@pytest.fixture
def clerk(transactional_db: None) -> Person:
    """One of the staff, who has no permission."""
    return person("clerk", is_staff=True)
