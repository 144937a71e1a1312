"""The project's settings, with the tests' own app."""

import tests.environment  # noqa: F401  # isort: split
from django_project.settings import *  # noqa: F403
from django_project.settings import INSTALLED_APPS, REALTIME, STORAGES

INSTALLED_APPS = [*INSTALLED_APPS, "tests.shelf"]

# All tests share one address; those of rates set their own.
REALTIME = {**REALTIME, "UNKNOWN_TOKEN_RATE": 0}

# Enough for the tests, and fast.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Without `collectstatic`.
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_USE_STATIC_ROOT = False
