"""Django system checks: wrong settings and models that would not publish, said at the start."""

from collections.abc import Sequence
from typing import Any

from channels.layers import channel_layers
from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, register
from django.db import connections, router

from realtime.conf import get_settings, unknown_keys
from realtime.models import Event
from realtime.published import Published, PublishedQuerySet

VENDORS = ("postgresql", "sqlite")


@register("realtime")
def check_settings(**_: Any) -> list[CheckMessage]:
    """Check REALTIME and what it refers to."""
    messages: list[CheckMessage] = [
        Error(f"REALTIME has no setting {key!r}.", id="realtime.E001") for key in unknown_keys()
    ]
    settings = get_settings()
    if settings.buffer_size < settings.read_batch:
        messages.append(
            Error(
                "REALTIME['BUFFER_SIZE'] is less than READ_BATCH: one batch would overflow it.",
                id="realtime.E005",
            )
        )
    alias = settings.channel_layer
    if alias not in channel_layers:
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
def check_published_models(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> list[CheckMessage]:
    """Check that bulk writes through the managers of a published model are published."""
    configs = app_configs or apps.get_app_configs()
    models = [
        model for config in configs for model in config.get_models() if issubclass(model, Published)
    ]
    silent: list[CheckMessage] = [
        Error(
            f"{model.__name__}.{manager.name} does not publish bulk writes.",
            hint="Make it from a subclass of PublishedQuerySet.",
            obj=model,
            id="realtime.E004",
        )
        for model in models
        for manager in {*model._meta.managers, model._base_manager}
        if not isinstance(manager.get_queryset(), PublishedQuerySet)
    ]
    log = router.db_for_write(Event)
    return silent + [
        Error(
            f"{model.__name__} is written to another database than the log, {log!r}.",
            obj=model,
            id="realtime.E006",
        )
        for model in models
        if router.db_for_write(model) != log
    ]
