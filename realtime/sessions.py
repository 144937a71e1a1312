"""The sessions of Django's framework, as credentials: a cookie's value, or a bearer's token."""

import re
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user, login, logout, update_session_auth_hash
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from realtime.publishing import publishing


class Found(NamedTuple):
    """A session with the user that it stands for."""

    user: Any
    session: Any
    expires: datetime | None
    """None where the session's engine does not tell."""


def is_key(text: object) -> bool:
    """Tell whether a text could be the key of a session."""
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9]{8,64}", text) is not None


def bearer(text: object) -> str | None:
    """Return the token of an Authorization header, None where it is of another kind."""
    if not isinstance(text, str):
        return None
    scheme, _, token = text.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def token_in(payload: object) -> object | None:
    """Return the token in a payload of `connection_init`, None without one."""
    if not isinstance(payload, Mapping):
        return None
    for name in ("authorization", "Authorization"):
        if (given := payload.get(name)) is not None:
            return bearer(given) or ""
    return payload.get("token")


def opened(key: str | None = None) -> Any:
    """Return the session of a key, or a new one. Nothing is read yet."""
    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def find(key: str) -> Found | None:
    """Return the session of a key and its active user; None if it stands for nobody.

    The user's permissions are read, too, if it is staff: what asks for them on the event
    loop must not read the database.
    """
    session = opened(key)
    user = user_of(_AsItIs(session))
    if not user.is_authenticated:
        return None
    return Found(user, session, _expiry(session))


def user_of(session: Any) -> Any:
    """Return the user of a session, with the permissions of staff."""
    user = get_user(_Request(session))
    if user.is_authenticated and getattr(user, "is_staff", False):
        user.get_all_permissions()
    return user


def begin(session: Any, user: Any, *, address: str) -> Found:
    """Make a session that of a user who has just been authenticated, under a new key."""
    with publishing():  # who is told of the old one's end finds the new one
        if SESSION_KEY in session:  # Django would keep the key where it is the same user's
            session.cycle_key()
        login(_Request(session, address=address), user, getattr(user, "backend", BACKEND))
        session.save()
    return Found(user_of(session), session, _expiry(session))


def renew(session: Any, user: Any) -> Found:
    """Keep the session of a user whose password has changed, under a new key."""
    with publishing():
        update_session_auth_hash(_Request(session, user), user)
        session.save()
    return Found(user_of(session), session, _expiry(session))


def end(session: Any, user: Any, *, address: str) -> None:
    """End a session."""
    with publishing():
        logout(_Request(session, user, address=address))


BACKEND = "django.contrib.auth.backends.ModelBackend"


class _Request(HttpRequest):
    """What Django's functions, and the receivers of their signals, ask of a request."""

    def __init__(self, session: Any, user: Any = None, *, address: str = "") -> None:
        super().__init__()
        self.session = session
        self.user = user or AnonymousUser()
        self.META["REMOTE_ADDR"] = address


def _expiry(session: Any) -> datetime | None:
    if not hasattr(session, "get_model_class"):
        return None
    rows = session.get_model_class().objects.filter(session_key=session.session_key)
    expires: datetime | None = rows.values_list("expire_date", flat=True).first()
    return expires


class _AsItIs:
    """A session that `get_user` cannot renew: nobody would learn its new key."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getitem__(self, key: str) -> Any:
        return self._session[key]

    def __setitem__(self, key: str, value: Any) -> None:
        pass

    def get(self, key: str) -> Any:
        return self._session.get(key)

    def cycle_key(self) -> None:
        pass

    def flush(self) -> None:
        pass
