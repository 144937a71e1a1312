"""Failed logins: who has too many must wait. `django-axes` counts them, those of the admin, too."""

from collections.abc import Mapping
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_credentials
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest

from accounts.models import User
from realtime.rates import network_of


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

    def user_logged_in(
        self, sender: object, request: HttpRequest | None, user: User, **_: Any
    ) -> None:
        """Forget the failures of this username at this address; keep no list of logins."""
        if request is not None:
            self.reset_user_attempts(request, get_credentials(user.get_username()))

    def user_logged_out(self, *_: Any, **__: Any) -> None:
        """Do nothing: there is no list of logins."""

    def _failures_at_address(self, request: Any) -> int:
        if request.axes_ip_address is None:
            return 0  # unknown: many clients
        attempts = AccessAttempt.objects.filter(
            ip_address=request.axes_ip_address,
            attempt_time__gte=get_cool_off_threshold(request),
        )
        counted: dict[str, int] = attempts.aggregate(sum=Sum("failures_since_start", default=0))
        return counted["sum"]


def client_address(request: HttpRequest) -> str | None:
    """Return the address that a client cannot change at will: of IPv6 the network, a /64.

    None where the server knows of none, or believes a proxy that names none.
    """
    return network_of(request.META.get("REMOTE_ADDR", ""))


def client_description(username: str | None, address: str | None, *_: Any) -> str:
    """Return how the log names a client: on one line, whatever it calls itself."""
    return f"{username!r} at {address}"
