"""The engine's settings: the REALTIME dictionary of the Django settings, with defaults."""

from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What REALTIME may hold; each key there is the upper-case name of a field here."""

    channel_layer: str = "default"
    """Alias in CHANNEL_LAYERS of the layer that carries doorbells and broadcasts."""

    doorbell_groups: int = 8
    """Groups onto which topics are hashed; the same in every process."""

    sweep_interval: float = 1.0
    """Seconds between looks at the heads of all followed topics."""

    database_threads: int = 4
    """Threads that do a process's database work; each may hold one connection."""

    read_batch: int = 100
    """Events that one read of the log returns at most."""

    buffer_size: int = 500
    """Events that wait for one subscription, at least `read_batch`; beyond, it reads the log.

    Also the broadcasts that wait for one; beyond, it loses the oldest.
    """

    buffer_weight: int = 500_000
    """Characters of the texts in the objects that so wait."""

    max_body_size: int = 1024 * 1024
    """Bytes that the body of an HTTP request may have."""

    stream_heartbeat: float = 5.0
    """Seconds between the heartbeats of server-sent events and multipart subscriptions."""

    drain_time: float = 3.0
    """Seconds over which a server that is told to end closes its WebSockets."""

    document_cache: int = 500_000
    """Characters of the documents that are kept parsed; they take about a hundred times that."""

    max_document_size: int = 15 * 1024
    """Bytes that the text of an operation may have."""

    max_tokens: int = 2_000
    """Tokens that it may have; comments are tokens."""

    max_depth: int = 12
    """Fields that may be nested in each other; those of introspection are not counted."""

    max_aliases: int = 30
    """Aliases that an operation may have; those of a fragment as often as it is spread."""

    max_root_fields: int = 20
    """Fields that it may have at its root."""

    max_directives: int = 50
    """Directives that it may have."""

    max_cost: int = 3_000
    """Fields that it may have, each as often as the lists around it may repeat it."""

    max_page_size: int = 200
    """What an argument `first` or `last` may be; and what a list counts that has none."""

    max_list_items: int = 1_000
    """Items that a list may have which is an argument, or is in one."""

    max_variables_size: int = 64 * 1024
    """Bytes that the variables may have as JSON."""

    trusted_only: bool = False
    """Whether documents must have been registered: `manage.py trust_documents`."""

    schema: str = ""
    """Where the project's schema is, as `project.schema.schema`; documents to trust are for it."""

    max_message_size: int = 64 * 1024
    """Bytes that one message of a WebSocket client may have."""

    max_operations: int = 100
    """Operations that one connection may run at once."""

    max_connections_per_user: int = 20
    """WebSockets and HTTP streams that one user may have in one process."""

    max_connections_per_address: int = 100
    """Those of one address (of IPv6 a /64) without a login, in one process."""

    max_anonymous_connections: int = 1_000
    """Those of all who have not logged in, in one process."""

    operation_rate: float = 50.0
    """Operations a second of one user, or of one address without a login; 0: any number."""

    operation_burst: float = 500.0
    """Operations that may come at once after a rest."""

    message_rate: float = 100.0
    """Messages a second over WebSockets, likewise; what comes too early waits; 0: any number."""

    message_burst: float = 1_000.0
    """Messages that may come at once after a rest."""

    recheck_interval: float = 60.0
    """Seconds between looks at the rights of those who have something open, as nobody told of."""

    keep_alive_interval: float = 15.0
    """Seconds between the server's pings, which are the legacy dialect's keep-alives; 0: none."""

    pong_timeout: float = 10.0
    """Seconds a WebSocket client has to take a ping, and then to send anything.

    Also what the client of an HTTP stream has to take what is sent.
    """

    connection_init_timeout: float = 3.0
    """Seconds a WebSocket client has to send `connection_init`."""


@cache
def get_settings() -> Settings:
    """Return the settings in force; unknown keys are reported by the system checks."""
    return Settings(**{name: value for name, value in _given().items() if name in NAMES})


NAMES = frozenset(field.name for field in fields(Settings))


def unknown_keys() -> list[str]:
    """Return the keys of REALTIME that mean nothing."""
    return sorted(name.upper() for name in _given().keys() - NAMES)


def _given() -> dict[str, Any]:
    return {key.lower(): value for key, value in getattr(settings, "REALTIME", {}).items()}


def _reset(*, setting: str, **_: Any) -> None:
    if setting == "REALTIME":
        get_settings.cache_clear()


setting_changed.connect(_reset)
