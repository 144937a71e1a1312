"""Writes to users."""

from django.core.exceptions import ValidationError

from accounts.models import User
from realtime.publishing import transactional


@transactional
def create_user(username: str) -> User:
    """Create a user who has no password yet. Raises ValidationError."""
    user = User(username=User.normalize_username(username))
    user.set_unusable_password()
    if User.objects.filter(username=user.username).exists():
        raise ValidationError("Username is taken")
    user.clean_fields()
    user.save()
    return user
