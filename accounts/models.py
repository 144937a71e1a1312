"""The people who use Clew."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person; our own from the first migration, so that it can grow."""
