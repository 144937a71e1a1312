"""System checks: what is wrong is said at the start."""

import dataclasses
from decimal import Decimal
from typing import Any, get_type_hints

import pytest
from ariadne import make_executable_schema
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import models
from django.test.utils import isolate_apps

from realtime.asgi import graphql_app
from realtime.checks import check_published_models, check_sessions, check_settings
from realtime.conf import Settings, get_settings
from realtime.published import Published


def ids(messages: list[Any]) -> list[str]:
    return [message.id for message in messages]


@pytest.mark.django_db  # on SQLite the checks of a JSONField ask the database
def test_the_project_passes() -> None:
    call_command("check")


def test_an_unknown_setting_is_named(settings: Any) -> None:
    settings.REALTIME = {"SWEEP_INTERVALL": 1}
    [message] = check_settings()
    assert message.msg == "REALTIME has no setting 'SWEEP_INTERVALL'."


WRONG = [
    ("SWEEP_INTERVAL", "2", "a number above 0 and up to 2147483647"),
    ("SWEEP_INTERVAL", 0, "a number above 0 and up to 2147483647"),
    ("SWEEP_INTERVAL", float("inf"), "a number above 0 and up to 2147483647"),
    ("SWEEP_INTERVAL", None, "a number above 0 and up to 2147483647"),
    ("PONG_TIMEOUT", True, "a number above 0 and up to 2147483647"),
    ("KEEP_ALIVE_INTERVAL", -1, "a number from 0 to 2147483647"),
    ("KEEP_ALIVE_INTERVAL", float("nan"), "a number from 0 to 2147483647"),
    ("OPERATION_RATE", Decimal(50), "a number from 0 to 2147483647"),
    ("MESSAGE_BURST", 0.5, "a number from 1 to 2147483647"),
    ("DATABASE_THREADS", 0, "an integer from 1 to 2147483647"),
    ("DATABASE_THREADS", 4.0, "an integer from 1 to 2147483647"),
    ("READ_BATCH", True, "an integer from 1 to 2147483647"),
    ("MAX_BODY_SIZE", 2**31, "an integer from 1 to 2147483647"),
    ("MAX_ALIASES", -1, "an integer from 0 to 2147483647"),
    ("TRUSTED_ONLY", 0, "True or False"),
    ("TRUSTED_ONLY", "false", "True or False"),
    ("CHANNEL_LAYER", ["default"], "a string"),
    ("SCHEMA", None, "a string"),
]


@pytest.mark.parametrize(("key", "value", "expected"), WRONG)
def test_a_wrong_value_is_named_with_what_is_expected(
    settings: Any, key: str, value: object, expected: str
) -> None:
    settings.REALTIME = {key: value}
    [message] = check_settings()
    assert message.id == "realtime.E007"
    assert message.msg == f"REALTIME['{key}'] must be {expected}, not {value!r}."


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("SWEEP_INTERVAL", 2), ("SWEEP_INTERVAL", 0.01), ("KEEP_ALIVE_INTERVAL", 0)],
        *[("DRAIN_TIME", 0), ("OPERATION_RATE", 0), ("MAX_ANONYMOUS_CONNECTIONS", 0)],
        *[("MAX_BODY_SIZE", 2**31 - 1), ("TRUSTED_ONLY", True), ("sweep_interval", 2.5)],
    ],
)
def test_a_valid_value_passes(settings: Any, key: str, value: object) -> None:
    settings.REALTIME = {key: value}
    assert check_settings() == []
    assert getattr(get_settings(), key.lower()) == value


def test_all_wrong_values_are_named(settings: Any) -> None:
    settings.REALTIME = {"SWEEP_INTERVAL": "2", "READ_BATCH": "100", "BUFFER_SIZE": 1}
    assert ids(check_settings()) == ["realtime.E007"] * 2


@pytest.mark.parametrize("value", [None, [("SWEEP_INTERVAL", 2)], "SWEEP_INTERVAL"])
def test_settings_that_are_no_dictionary_are_named(settings: Any, value: object) -> None:
    settings.REALTIME = value
    [message] = check_settings()
    assert message.msg == f"REALTIME must be a dictionary, not {value!r}."


def test_a_key_that_is_no_string_is_named(settings: Any) -> None:
    settings.REALTIME = {1: 2}
    assert ids(check_settings()) == ["realtime.E001"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"SWEEP_INTERVAL": "2"}, r"REALTIME\['SWEEP_INTERVAL'\] must be a number above 0"),
        ({"BUFFER_SIZE": 10}, r"REALTIME\['BUFFER_SIZE'\] is 10, less than READ_BATCH, 100"),
        (None, "REALTIME must be a dictionary"),
    ],
)
def test_no_application_is_made_with_wrong_settings(
    settings: Any, wrong: object, sentence: str
) -> None:
    settings.REALTIME = wrong
    with pytest.raises(ImproperlyConfigured, match=sentence):
        graphql_app(make_executable_schema("type Query { none: Int }"))


def test_every_number_has_a_range() -> None:
    hints = get_type_hints(Settings, include_extras=True)
    assert {name for name, hint in hints.items() if hint in {int, float}} == set()


def test_the_defaults_are_valid(settings: Any) -> None:
    settings.REALTIME = {
        field.name.upper(): field.default for field in dataclasses.fields(Settings)
    }
    assert check_settings() == []


def test_a_layer_that_is_not_configured_is_named(settings: Any) -> None:
    settings.REALTIME = {"CHANNEL_LAYER": "other"}
    assert ids(check_settings()) == ["realtime.E002"]


def test_a_buffer_that_one_batch_overflows_is_named(settings: Any) -> None:
    settings.REALTIME = {"BUFFER_SIZE": 10, "READ_BATCH": 11}
    assert ids(check_settings()) == ["realtime.E005"]


def test_sessions_that_cannot_be_ended_are_named(settings: Any) -> None:
    assert check_sessions() == []
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    assert ids(check_sessions()) == ["realtime.W001"]


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


class Config:
    """An app of one model."""

    def __init__(self, model: type[models.Model]) -> None:
        self.model = model

    def get_models(self) -> list[type[models.Model]]:
        return [self.model]


def messages_of(model: type[models.Model]) -> list[Any]:
    return check_published_models([Config(model)])  # type: ignore[list-item]


@isolate_apps("tests.shelf", attr_name="apps")
def test_a_manager_that_would_not_publish_is_named() -> None:
    class Silent(Published):
        objects = models.Manager()  # type: ignore[assignment]

        class Meta:
            app_label = "shelf"

        def topics(self) -> list[str]:
            return ["silent"]

    [message] = messages_of(Silent)
    assert message.msg == "Silent.objects does not publish bulk writes."
    assert "realtime.published.PublishedQuerySet" in message.hint


@isolate_apps("tests.shelf", attr_name="apps")
def test_a_published_model_without_topics_is_named() -> None:
    class Quiet(Published):
        class Meta(Published.Meta):
            app_label = "shelf"

    [message] = messages_of(Quiet)
    assert (message.id, message.msg) == (
        "realtime.E008",
        "Quiet is Published, but has no topics().",
    )


@isolate_apps("tests.shelf", attr_name="apps")
def test_a_published_model_with_async_topics_is_named() -> None:
    class Late(Published):
        class Meta(Published.Meta):
            app_label = "shelf"

        async def topics(self) -> list[str]:  # type: ignore[override]
            return ["late"]

    [message] = messages_of(Late)
    assert (message.id, message.msg) == ("realtime.E008", "Late.topics() is async.")
