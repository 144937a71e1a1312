"""The people who use Clew."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models, transaction

from realtime import access


class UserQuerySet(models.QuerySet["User"]):
    """Users whose rights may change many at a time."""

    def update(self, **kwargs: Any) -> int:
        """Update the rows, and tell that the rights of these users have changed."""
        with transaction.atomic(using=self.db):
            users = list(self.values_list("pk", flat=True))
            # Others may have come to match since.
            count = super(UserQuerySet, self.filter(pk__in=users)).update(**kwargs)
            access.changed(*users)
        return count

    update.alters_data = True  # type: ignore[attr-defined]


class Users(UserManager["User"]):
    """All users."""

    def get_queryset(self) -> UserQuerySet:
        """Return them as a query set that tells of changes."""
        return UserQuerySet(self.model, using=self._db)


class User(AbstractUser):
    """A person; our own from the first migration, so that it can grow."""

    objects: ClassVar[Users] = Users()
