"""Django system checks: wrong settings and models that would not publish, said at the start."""

from collections.abc import Iterator, Sequence
from inspect import iscoroutinefunction
from typing import Any

from channels.layers import channel_layers
from django.apps import AppConfig, apps
from django.contrib.sessions.backends.signed_cookies import SessionStore as SignedCookies
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.db import connections, router

from realtime.conf import configured, contradictions, unknown_keys, wrong_values
from realtime.models import Event
from realtime.published import Published, PublishedQuerySet
from realtime.sessions import opened

VENDORS = ("postgresql", "sqlite")


@register("realtime")
def check_settings(**_: Any) -> list[CheckMessage]:
    """Check REALTIME and what it refers to."""
    messages: list[CheckMessage] = [
        Error(f"REALTIME has no setting {key!r}.", id="realtime.E001") for key in unknown_keys()
    ]
    if wrong := wrong_values():
        messages += [Error(sentence, id="realtime.E007") for sentence in wrong]
    else:
        messages += [Error(sentence, id="realtime.E005") for sentence in contradictions()]
        if (alias := configured().channel_layer) not in channel_layers:
            messages.append(
                Error(
                    f"REALTIME['CHANNEL_LAYER'] is {alias!r}, which is not in CHANNEL_LAYERS.",
                    id="realtime.E002",
                )
            )
    vendor = connections[router.db_for_write(Event)].vendor
    if vendor not in VENDORS:
        messages.append(
            Error(f"The log needs {' or '.join(VENDORS)}, not {vendor}.", id="realtime.E003")
        )
    return messages


@register("realtime")
def check_sessions(**_: Any) -> list[CheckMessage]:
    """Check that sessions can be ended."""
    if not isinstance(opened(), SignedCookies):
        return []
    return [
        checks.Warning(
            "Sessions in signed cookies cannot be ended by the server: after a logout the token, "
            "and what is open under it, stay valid until SESSION_COOKIE_AGE.",
            hint="Use another SESSION_ENGINE, as django.contrib.sessions.backends.cached_db.",
            id="realtime.W001",
        )
    ]


@register("realtime")
def check_published_models(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> list[CheckMessage]:
    """Check that published models name their topics, and that all their writes are published."""
    configs = app_configs or apps.get_app_configs()
    models = [
        model for config in configs for model in config.get_models() if issubclass(model, Published)
    ]
    log = router.db_for_write(Event)
    return [message for model in models for message in _wrong_with(model, log)]


def _wrong_with(model: type[Published], log: str) -> Iterator[CheckMessage]:
    name = model.__name__
    if model.topics is Published.topics:
        yield Error(
            f"{name} is Published, but has no topics().",
            hint="Define topics(self): it returns the topics that tell of a change of this object.",
            obj=model,
            id="realtime.E008",
        )
    elif iscoroutinefunction(model.topics):
        yield Error(
            f"{name}.topics() is async.",
            hint="Define it with def: it is called while the object is written.",
            obj=model,
            id="realtime.E008",
        )
    for manager in {*model._meta.managers, model._base_manager}:
        if not isinstance(manager.get_queryset(), PublishedQuerySet):
            yield Error(
                f"{name}.{manager.name} does not publish bulk writes.",
                hint="Make it from realtime.published.PublishedQuerySet or a subclass of it, "
                "as models.Manager.from_queryset(PublishedQuerySet) does.",
                obj=model,
                id="realtime.E004",
            )
    if router.db_for_write(model) != log:
        yield Error(
            f"{name} is written to another database than the log, {log!r}.",
            obj=model,
            id="realtime.E006",
        )
