"""The project's settings, with the tests' own app."""

from django_project.settings import *  # noqa: F403
from django_project.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.shelf"]

# Enough for the tests, and fast.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
