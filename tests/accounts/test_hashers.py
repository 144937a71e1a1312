"""How passwords are hashed."""

from typing import Any

import pytest
from django.contrib.auth.hashers import check_password, identify_hasher, make_password

from django_project.settings import PASSWORD_HASHERS


@pytest.fixture(autouse=True)
def _as_in_production(settings: Any) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS


def test_a_password_is_hashed_with_argon2id() -> None:
    assert make_password("pass").startswith("argon2$argon2id$v=19$m=47104,t=2,p=1$")


def test_an_older_hash_is_replaced_at_login() -> None:
    older = make_password("pass", hasher="pbkdf2_sha256")
    replaced: list[str] = []
    assert check_password("pass", older, setter=lambda raw: replaced.append(make_password(raw)))
    assert identify_hasher(replaced[0]).algorithm == "argon2"
