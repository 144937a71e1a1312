"""System checks: what is wrong is said at the start."""

from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models
from django.test.utils import isolate_apps

from realtime.checks import check_published_models, check_settings
from realtime.published import Published


def ids(messages: list[Any]) -> list[str]:
    return [message.id for message in messages]


def test_the_project_passes() -> None:
    call_command("check")


def test_an_unknown_setting_is_named(settings: Any) -> None:
    settings.REALTIME = {"SWEEP_INTERVALL": 1}
    [message] = check_settings()
    assert message.msg == "REALTIME has no setting 'SWEEP_INTERVALL'."


def test_a_layer_that_is_not_configured_is_named(settings: Any) -> None:
    settings.REALTIME = {"CHANNEL_LAYER": "other"}
    assert ids(check_settings()) == ["realtime.E002"]


def test_a_buffer_that_one_batch_overflows_is_named(settings: Any) -> None:
    settings.REALTIME = {"BUFFER_SIZE": 10, "READ_BATCH": 11}
    assert ids(check_settings()) == ["realtime.E005"]


def test_a_model_of_another_database_is_named(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [BooksElsewhere()]
    messages = check_published_models([apps.get_app_config("shelf")])
    assert "realtime.E006" in ids(messages)


class BooksElsewhere:
    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "elsewhere" if model.__name__ == "Book" else None


def test_a_database_without_what_the_log_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.checks.VENDORS", ("oracle",))
    assert ids(check_settings()) == ["realtime.E003"]


@isolate_apps("tests.shelf", attr_name="apps")
def test_a_manager_that_would_not_publish_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Published):
        objects = models.Manager()  # type: ignore[assignment]

        class Meta:
            app_label = "shelf"

    class Config:
        def get_models(self) -> list[type[models.Model]]:
            return [Silent]

    [message] = check_published_models([Config()])  # type: ignore[list-item]
    assert message.msg == "Silent.objects does not publish bulk writes."
