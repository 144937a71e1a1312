"""Writes to users.

What hashes a password does so before its transaction, which would else be open for long.
"""

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import HttpRequest

from accounts.attempts import forget_failures
from accounts.inputs import is_storable
from accounts.models import User
from realtime.publishing import transactional

LONGEST_USERNAME = 150
"""Characters of a username, as in Django's model."""

LONGEST_INPUT = 1_000
"""Characters of a username as it was typed, or of a password.

Checked first: Unicode normalisation of 30,000 combining marks takes a second, in which no other
thread can run.
"""


def user_with_password(request: HttpRequest, username: str, password: str) -> User | None:
    """Return the active user whose password this is; else it counts as a failed login.

    It takes as long where there is no such user. Raises ValidationError where too many failed.
    """
    if len(username) > LONGEST_INPUT or len(password) > LONGEST_INPUT:
        return None
    username = User.normalize_username(username)
    if len(username) > LONGEST_USERNAME or not is_storable(username + password):
        return None
    user = authenticate(request, username=username, password=password)
    if getattr(request, "axes_locked_out", False):
        raise ValidationError(getattr(request, "clew_refusal", settings.AXES_COOLOFF_MESSAGE))
    if not isinstance(user, User):
        return None
    forget_failures(request, user.username)
    return user


def create_user(username: str, email: str = "", password: str | None = None) -> User:
    """Create a user; without a password nobody can log in. Raises ValidationError."""
    return insert(new_user(username, email, password))


def new_user(username: str, email: str = "", password: str | None = None) -> User:
    """Return a user that is to be inserted, with the password hashed. Raises ValidationError."""
    if len(username) > LONGEST_INPUT:
        raise ValidationError(f"The username is longer than {LONGEST_USERNAME} characters")
    user = User(
        username=User.normalize_username(username), email=User.objects.normalize_email(email)
    )
    errors = _faults(user)
    if not errors and password is not None:
        errors = _faults_of_password(password, user)
    if errors:
        raise ValidationError(errors)
    if User.objects.filter(username=user.username).exists():
        raise ValidationError("Username is taken")
    user.set_password(password)
    return user


def change_password(request: HttpRequest, user: User | None, old: str, new: str) -> User:
    """Change one's own password, which ends all sessions. Raises ValidationError."""
    return save_password(with_new_password(request, user, old, new))


def with_new_password(request: HttpRequest, user: User | None, old: str, new: str) -> User:
    """Return a user whose new password is to be saved, hashed. Raises ValidationError."""
    if user is None:
        raise ValidationError("Log in first")
    found = user_with_password(request, user.username, old)
    if found is None or found.pk != user.pk:
        raise ValidationError("The old password is wrong")
    if errors := _faults_of_password(new, found):
        raise ValidationError(errors)
    found.set_password(new)
    return found


@transactional
def insert(user: User) -> User:
    """Insert a new user. Raises ValidationError where the name is taken."""
    try:
        user.save()
    except IntegrityError:  # somebody was quicker
        raise ValidationError("Username is taken") from None
    return user


@transactional
def save_password(user: User) -> User:
    """Save a password, which ends all sessions."""
    user.save(update_fields=["password"])
    return user


def _faults(user: User) -> list[str]:
    if not is_storable(user.username + user.email):
        return ["The username or the email has characters that cannot be stored"]
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        return [
            f"{field.capitalize()}: {message}"
            for field, messages in error.message_dict.items()
            for message in messages
        ]
    return []


def _faults_of_password(password: str, user: User) -> list[str]:
    if len(password) > LONGEST_INPUT:
        return [f"The password is longer than {LONGEST_INPUT:,} characters"]
    if not is_storable(password):
        return ["The password has characters that cannot be stored"]
    try:
        validate_password(password, user)
    except ValidationError as error:
        return error.messages
    return []
