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

LOG_IN_AGAIN = "Invalid or expired token: log in again."
"""What a client is told of a token that stands for nobody."""

KEYED_ENGINES = frozenset(
    f"django.contrib.sessions.backends.{name}" for name in ("cache", "cached_db", "db", "file")
)
"""Engines of Django whose keys are letters and digits."""

TOKEN_NAMES = ("token", "authtoken", "accesstoken")
"""Keys, in lower case, that bear a token in a payload of `connection_init`."""

NESTED_NAMES = ("headers", "connectionparams")
"""Keys of objects in it where a token is looked for, too."""


class Found(NamedTuple):
    """A session with the user that it stands for."""

    user: Any
    session: Any
    expires: datetime | None
    """None where the session's engine does not tell."""


def is_key(text: object) -> bool:
    """Tell whether a text could be the key of a session.

    With signed cookies the session itself is the key; of other engines nothing is known
    but that a cookie can bear it.
    """
    is_keyed = settings.SESSION_ENGINE in KEYED_ENGINES
    pattern = "[A-Za-z0-9]{8,64}" if is_keyed else "[!-~]{8,4096}"
    return isinstance(text, str) and re.fullmatch(pattern, text) is not None


def bearer(text: object) -> str | None:
    """Return the token of an Authorization header, None where it is of another kind."""
    if not isinstance(text, str):
        return None
    scheme, _, token = text.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def token_in(payload: object) -> object | None:
    """Return the token in a payload of `connection_init`, None without one.

    That is `authorization` with "Bearer …", or one of TOKEN_NAMES, in the payload or in an
    object of NESTED_NAMES in it, whatever the case of the letters.
    """
    return _token_in(payload, depth=2)


def _token_in(payload: object, *, depth: int) -> object | None:
    if not isinstance(payload, Mapping):
        return None
    given = {
        name.lower(): value
        for name, value in payload.items()
        if isinstance(name, str) and value is not None
    }
    if "authorization" in given:
        return bearer(given["authorization"]) or ""
    for name in TOKEN_NAMES:
        if name in given:
            return bearer(given[name]) or given[name]
    for name in NESTED_NAMES if depth else ():
        token = _token_in(given.get(name), depth=depth - 1)
        if token is not None:
            return token
    return None


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
    if (
        user.is_authenticated
        and getattr(user, "is_staff", False)
        and hasattr(user, "get_all_permissions")
    ):
        user.get_all_permissions()
    return user


def begin(session: Any, user: Any, *, address: str) -> Found:
    """Make a session that of a user who has just been authenticated, under a new key."""
    with publishing():  # who is told of the old one's end finds the new one
        if SESSION_KEY in session:  # Django would keep the key where it is the same user's
            session.cycle_key()
        login(_Request(session, address=address), user, _backend_of(user))
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


def _backend_of(user: Any) -> str | None:
    """Return the backend that a session names; None where Django is to say which.

    A session that names one that is not among AUTHENTICATION_BACKENDS is nobody's.
    """
    backend: str | None = getattr(user, "backend", None)
    if backend is None and BACKEND in settings.AUTHENTICATION_BACKENDS:
        return BACKEND
    return backend


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
