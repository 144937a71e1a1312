"""Failed logins: who has too many must wait. `django-axes` counts them, those of the admin, too.

An attempt is counted before its password is compared, else many at once would all be compared
before the first has failed. A login takes it back.
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.backends import AxesStandaloneBackend
from axes.exceptions import AxesBackendPermissionDenied
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_credentials
from axes.models import AccessAttempt
from axes.signals import user_locked_out
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.http import HttpRequest

from accounts.models import User
from realtime.rates import MOST, Rate, network_of

logger = logging.getLogger("axes.attempts")

BUSY = "Too many logins with this username have failed. Try again in some seconds."
"""What is answered where only the username is slowed down."""


class AttemptBackend(AxesStandaloneBackend):  # type: ignore[misc]  # it has no types
    """Lets the next backend compare a password, if one more attempt may fail."""

    def authenticate(
        self,
        request: HttpRequest,
        username: str | None = None,
        password: str | None = None,
        **others: Any,
    ) -> None:
        """Count an attempt. Raises PermissionDenied where there are too many."""
        super().authenticate(request, username, password, **others)
        if username is not None and not _count(request, username):
            request.axes_locked_out = True  # type: ignore[attr-defined]
            raise AxesBackendPermissionDenied("Too many attempts at once")


def forget_failures(request: HttpRequest, username: str) -> None:
    """Forget the failures of a username at an address, where its password was given."""
    _familiar.add(username, request.axes_ip_address)  # type: ignore[attr-defined]
    AxesProxyHandler.get_implementation().reset_user_attempts(request, get_credentials(username))


def _count(request: Any, username: str) -> bool:
    """Count an attempt as one that fails; return False, and count nothing, where none may."""
    handler, address = AxesProxyHandler.get_implementation(), request.axes_ip_address
    handler.clean_expired_user_attempts(request, get_credentials(username))
    with transaction.atomic():
        attempts = AccessAttempt.objects.filter(username=username, ip_address=address)
        # The lock makes those who come at the same time wait, of other processes, too.
        attempt = attempts.select_for_update().order_by("pk").first()
        if attempt is None:
            attempt, _ = AccessAttempt.objects.select_for_update().get_or_create(
                username=username,
                ip_address=address,
                user_agent=request.axes_user_agent,
                defaults={
                    "http_accept": request.axes_http_accept,
                    "path_info": request.axes_path_info,
                    "failures_since_start": 0,
                    "attempt_time": request.axes_attempt_time,
                },
            )
        # One is this.
        is_one_too_many = handler.get_failures(request, get_credentials(username)) + 1 > (
            settings.AXES_FAILURE_LIMIT
        )
        if is_one_too_many or _is_slowed_down(request, username):
            transaction.set_rollback(True)
            return False
        AccessAttempt.objects.filter(pk=attempt.pk).update(
            failures_since_start=F("failures_since_start") + 1,
            attempt_time=request.axes_attempt_time,
            path_info=request.axes_path_info,
        )
    return True


def _is_slowed_down(request: Any, username: str) -> bool:
    """Tell whether an attempt at a username that many addresses guess at comes too early."""
    if _familiar.has(username, request.axes_ip_address):
        return False
    failures = _failures(AccessAttempt.objects.filter(username=username), request)
    if failures < settings.CLEW_USERNAME_FAILURE_LIMIT:
        return False
    with _turn:
        early = _slowed.spend(username, per_second=settings.CLEW_USERNAME_RATE, burst=1)
    if early:
        request.clew_refusal = BUSY
    return early > 0


_slowed = Rate()
_turn = Lock()


class _Familiar:
    """The addresses from which usernames have logged in, while this process lives.

    Guesses of others do not slow these down.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str | None], None] = OrderedDict()
        self._lock = Lock()

    def add(self, username: str, address: str | None) -> None:
        with self._lock:
            self._known[username, address] = None
            self._known.move_to_end((username, address))
            if len(self._known) > MOST:
                self._known.popitem(last=False)

    def has(self, username: str, address: str | None) -> bool:
        return (username, address) in self._known


_familiar = _Familiar()


class AttemptHandler(AxesDatabaseHandler):  # type: ignore[misc]  # it has no types
    """Locks a username at an address; after more failures, the address for all usernames.

    Axes itself counts usernames and addresses together, by AXES_LOCKOUT_PARAMETERS. If it
    counted addresses, too, a login would forget what failed there for other usernames: who has
    an account could guess the passwords of others without end. It has one limit for all counts,
    so an address counts in parts of its own.
    """

    def get_failures(
        self, request: HttpRequest, credentials: Mapping[str, Any] | None = None
    ) -> int:
        """Return the failures that axes compares with AXES_FAILURE_LIMIT."""
        failures: int = super().get_failures(request, credentials)
        at_address = self._failures_at_address(request) * settings.AXES_FAILURE_LIMIT
        return max(failures, at_address // settings.CLEW_ADDRESS_FAILURE_LIMIT)

    def user_login_failed(
        self,
        sender: object,
        credentials: Mapping[str, Any],
        request: Any = None,
        **_: Any,
    ) -> None:
        """Leave the attempt counted, and lock out where it was the last one."""
        if request is None:
            return
        username = credentials.get("username")
        client = client_description(username, request.axes_ip_address)
        if not request.axes_locked_out:
            logger.warning("Login failure by %s.", client)
            failures = self.get_failures(request, credentials)
            request.axes_locked_out = failures >= settings.AXES_FAILURE_LIMIT
        if request.axes_locked_out:
            request.axes_credentials = credentials
            user_locked_out.send(
                "axes", request=request, username=username, ip_address=request.axes_ip_address
            )

    def user_logged_in(
        self, sender: object, request: HttpRequest | None, user: User, **_: Any
    ) -> None:
        """Forget the failures of this username at this address; keep no list of logins."""
        if request is not None:
            forget_failures(request, user.get_username())

    def user_logged_out(self, *_: Any, **__: Any) -> None:
        """Do nothing: there is no list of logins."""

    def _failures_at_address(self, request: Any) -> int:
        if request.axes_ip_address is None:
            return 0  # unknown: many clients
        return _failures(AccessAttempt.objects.filter(ip_address=request.axes_ip_address), request)


def _failures(attempts: QuerySet[AccessAttempt], request: Any) -> int:
    recent = attempts.filter(attempt_time__gte=get_cool_off_threshold(request))
    counted: dict[str, int] = recent.aggregate(sum=Sum("failures_since_start", default=0))
    return counted["sum"]


def client_address(request: HttpRequest) -> str | None:
    """Return the address that a client cannot change at will: of IPv6 the network, a /64.

    None where the server knows of none, or believes a proxy that names none.
    """
    return network_of(request.META.get("REMOTE_ADDR", ""))


def client_description(username: str | None, address: str | None, *_: Any) -> str:
    """Return how the log names a client: on one line, whatever it calls itself."""
    return f"{username!r} at {address}"
