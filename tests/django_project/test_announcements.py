"""Announcements over plain HTTP: who may make them."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User

PATH = "/publish-message?message=Hello"


@pytest.fixture
def client(transactional_db: None) -> Client:
    return Client(headers={"host": "127.0.0.1"}, enforce_csrf_checks=True)


def test_anyone_may_in_demo_mode(client: Client) -> None:
    response = client.post(PATH)
    assert response.json() == {"status": "ok", "message_sent": "Hello"}


@pytest.mark.parametrize("message", ["", "  ", "x" * 1001])
def test_a_message_must_have_a_length(message: str, client: Client) -> None:
    response = client.post("/publish-message", query_params={"message": message})
    assert response.status_code == 400
    assert response.json()["error"] == "message must have 1 to 1000 characters."


def test_a_foreign_page_may_not(client: Client) -> None:
    response = client.post(PATH, headers={"origin": "https://evil.example"})
    assert response.status_code == 403


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "https://app.example.org"])
def test_our_own_pages_and_allowed_ones_may(origin: str, client: Client) -> None:
    assert client.post(PATH, headers={"origin": origin}).status_code == 200


def test_a_cookie_needs_a_token(client: Client) -> None:
    client.force_login(User.objects.create_user("user_one"))
    assert client.post(PATH).status_code == 403


class TestOutsideDemoMode:
    @pytest.fixture(autouse=True)
    def _no_demo(self, settings: Any) -> None:
        settings.CLEW_DEMO = False

    def test_nobody_in_particular_may_not(self, client: Client) -> None:
        assert client.post(PATH).status_code == 401

    @pytest.mark.parametrize(("is_staff", "status"), [(True, 200), (False, 403)])
    def test_staff_may(self, is_staff: bool, status: int, client: Client) -> None:
        client.force_login(User.objects.create_user("user_one", is_staff=is_staff))
        client.handler.enforce_csrf_checks = False
        assert client.post(PATH).status_code == status
