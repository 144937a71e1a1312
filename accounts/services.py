"""Writes to users."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError

from accounts.inputs import is_storable
from accounts.models import User
from realtime.publishing import transactional


@transactional
def create_user(username: str) -> User:
    """Create a user who has no password yet. Raises ValidationError."""
    if not is_storable(username):
        raise ValidationError("The username has characters that cannot be stored")
    user = User(username=User.normalize_username(username))
    user.set_unusable_password()
    if User.objects.filter(username=user.username).exists():
        raise ValidationError("Username is taken")
    user.clean_fields()
    try:
        user.save()
    except IntegrityError:  # somebody was quicker
        raise ValidationError("Username is taken") from None
    return user
