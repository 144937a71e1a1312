"""The engine's settings: the REALTIME dictionary of the Django settings, with defaults.

A wrong value is an error of the system checks, and keeps an application from starting where no
checks are run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

HIGHEST = 2**31 - 1
"""What databases, queues, sockets and timers take; 68 years in seconds."""


class Range(NamedTuple):
    """The values that a number may have."""

    words: str
    holds: Callable[[float], bool]


PositiveInt = Annotated[int, Range(f"an integer from 1 to {HIGHEST}", lambda n: 1 <= n <= HIGHEST)]
NonNegativeInt = Annotated[
    int, Range(f"an integer from 0 to {HIGHEST}", lambda n: 0 <= n <= HIGHEST)
]
PositiveFloat = Annotated[
    float, Range(f"a number above 0 and up to {HIGHEST}", lambda n: 0 < n <= HIGHEST)
]
NonNegativeFloat = Annotated[
    float, Range(f"a number from 0 to {HIGHEST}", lambda n: 0 <= n <= HIGHEST)
]
Burst = Annotated[float, Range(f"a number from 1 to {HIGHEST}", lambda n: 1 <= n <= HIGHEST)]
"""With less than one nothing would ever be let through."""

WORDS = {bool: "True or False", str: "a string", int: "an integer", float: "a number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What REALTIME may hold; each key there is the upper-case name of a field here."""

    channel_layer: str = "default"
    """Alias in CHANNEL_LAYERS of the layer that carries doorbells and broadcasts."""

    doorbell_groups: PositiveInt = 8
    """Groups onto which topics are hashed; the same in every process."""

    sweep_interval: PositiveFloat = 1.0
    """Seconds between looks at the heads of all followed topics."""

    database_threads: PositiveInt = 4
    """Threads for the database work of queries; each may hold one connection."""

    mutation_threads: PositiveInt = 4
    """Threads for that of mutations, which may wait for locks."""

    hashing_threads: PositiveInt = 1
    """Threads on which passwords are hashed; each may hold one connection."""

    hashing_queue: NonNegativeInt = 20
    """Hashes that wait for one of them; beyond, logins are refused."""

    hashing_rate: NonNegativeFloat = 1.0
    """Hashes a second for one address (of IPv6 a /64), whoever is logged in; 0: any number."""

    hashing_burst: Burst = 10.0
    """Hashes that may be asked for at once after a rest."""

    lock_timeout: PositiveFloat = 5.0
    """Seconds that a transaction waits for a lock on PostgreSQL."""

    statement_timeout: PositiveFloat = 10.0
    """Seconds in which PostgreSQL must have answered a statement of a client's operation."""

    engine_timeout: PositiveFloat = 5.0
    """Seconds in which it must have answered a statement of the hub or of the permissions."""

    log_timeout: PositiveFloat = 10.0
    """Seconds after which subscriptions are closed if the log cannot be read."""

    read_batch: PositiveInt = 100
    """Events that one read of the log returns at most."""

    buffer_size: PositiveInt = 500
    """Events that wait for one subscription, at least `read_batch`; beyond, it reads the log.

    Also the broadcasts that wait for one; beyond, it loses the oldest.
    """

    buffer_weight: PositiveInt = 500_000
    """Characters of the texts in the objects that so wait."""

    max_body_size: PositiveInt = 1024 * 1024
    """Bytes that the body of an HTTP request may have."""

    stream_heartbeat: PositiveFloat = 5.0
    """Seconds between the heartbeats of server-sent events and multipart subscriptions."""

    drain_time: NonNegativeFloat = 3.0
    """Seconds over which a server that is told to end closes its WebSockets."""

    document_cache: NonNegativeInt = 500_000
    """Characters of the documents that are kept parsed; they take about a hundred times that."""

    max_document_size: PositiveInt = 15 * 1024
    """Bytes that the text of an operation may have."""

    max_tokens: PositiveInt = 2_000
    """Tokens that it may have; comments are tokens."""

    max_depth: PositiveInt = 12
    """Fields that may be nested in each other; those of introspection are not counted."""

    max_aliases: NonNegativeInt = 30
    """Aliases that an operation may have; those of a fragment as often as it is spread."""

    max_root_fields: PositiveInt = 20
    """Fields that it may have at its root."""

    max_directives: NonNegativeInt = 50
    """Directives that it may have."""

    max_cost: PositiveInt = 3_000
    """Fields that it may have, each as often as the lists around it may repeat it."""

    max_page_size: PositiveInt = 200
    """What an argument `first` or `last` may be; and what a list counts that has none."""

    max_list_items: NonNegativeInt = 1_000
    """Items that a list may have which is an argument, or is in one."""

    max_variables_size: PositiveInt = 64 * 1024
    """Bytes that the variables may have as JSON."""

    max_result_size: PositiveInt = 4 * 1024 * 1024
    """Bytes that the result of an operation, or of an event, may have as JSON."""

    trusted_only: bool = False
    """Whether documents must have been registered: `manage.py trust_documents`."""

    schema: str = ""
    """Where the project's schema is, as `project.schema.schema`, for the commands that need it."""

    max_message_size: PositiveInt = 64 * 1024
    """Bytes that one message of a WebSocket client may have."""

    max_operations: PositiveInt = 100
    """Operations that one connection may run at once."""

    max_running_per_client: PositiveInt = 50
    """Queries and mutations of one user, or one address without a login, executed at once."""

    max_unread_per_client: PositiveInt = 8 * 1024 * 1024
    """Bytes of large results that one client may leave unread before its operations wait."""

    max_unread: PositiveInt = 32 * 1024 * 1024
    """Bytes of those of all clients; beyond, whoever has most unread is cut off."""

    max_connections_per_user: NonNegativeInt = 20
    """WebSockets and HTTP streams that one user may have in one process."""

    max_connections_per_address: NonNegativeInt = 100
    """Those of one address (of IPv6 a /64) without a login, in one process."""

    max_user_connections_per_address: NonNegativeInt = 1_000
    """Those of all users at one address, in one process."""

    max_anonymous_connections: NonNegativeInt = 1_000
    """Those of all who have not logged in, in one process."""

    operation_rate: NonNegativeFloat = 50.0
    """Operations a second of one user; a large one counts as several; 0: any number."""

    anonymous_operation_rate: PositiveFloat = 25.0
    """Those of one address without a login, where `operation_rate` is not less."""

    operation_burst: Burst = 500.0
    """Operations that may come at once after a rest."""

    unknown_token_rate: NonNegativeFloat = 10.0
    """Tokens and cookies a second of one address that stand for nobody; 0: any number."""

    message_rate: NonNegativeFloat = 100.0
    """Messages a second over WebSockets, likewise; what comes too early waits; 0: any number."""

    message_burst: Burst = 1_000.0
    """Messages that may come at once after a rest."""

    recheck_interval: NonNegativeFloat = 60.0
    """Seconds between looks at the rights of those who have something open, as nobody told of."""

    keep_alive_interval: NonNegativeFloat = 15.0
    """Seconds between the server's pings, which are the legacy dialect's keep-alives; 0: none."""

    pong_timeout: PositiveFloat = 10.0
    """Seconds a WebSocket client has to take a ping, and then to send anything.

    Also what an HTTP client has to take each 64 KiB of an answer.
    """

    connection_init_timeout: PositiveFloat = 3.0
    """Seconds a WebSocket client has to send `connection_init`."""


@cache
def get_settings() -> Settings:
    """Return the settings in force. Raises ImproperlyConfigured where they are wrong.

    Unknown keys are reported by the system checks alone.
    """
    if problems := wrong_values() or contradictions():
        raise ImproperlyConfigured(" ".join(problems))
    return configured()


NAMES = frozenset(field.name for field in fields(Settings))
_HINTS = get_type_hints(Settings, include_extras=True)


def unknown_keys() -> list[str]:
    """Return the keys of REALTIME that mean nothing."""
    return sorted(name.upper() for name in _given().keys() - NAMES)


def wrong_values() -> list[str]:
    """Return, of each value of the wrong type or out of range, a sentence that says so."""
    given = getattr(settings, "REALTIME", {})
    if not isinstance(given, Mapping):
        return [f"REALTIME must be a dictionary, not {given!r}."]
    return [
        f"REALTIME[{name.upper()!r}] must be {expected}, not {value!r}."
        for name, value in _given().items()
        if name in NAMES and (expected := _unmet(_HINTS[name], value))
    ]


def contradictions() -> list[str]:
    """Return sentences about values, each valid by itself, that do not fit together."""
    values = configured()
    if values.buffer_size < values.read_batch:
        return [
            f"REALTIME['BUFFER_SIZE'] is {values.buffer_size}, less than READ_BATCH, "
            f"{values.read_batch}: one batch would overflow it."
        ]
    return []


def _unmet(hint: Any, value: object) -> str | None:
    """Return what a setting must be, None where this value is that."""
    wanted, range_ = get_args(hint) or (hint, None)
    types = int | float if wanted is float else wanted
    fits = isinstance(value, types) and (wanted is bool or not isinstance(value, bool))
    if fits and (range_ is None or range_.holds(value)):
        return None
    return range_.words if range_ else WORDS[wanted]


def configured() -> Settings:
    """Return REALTIME with the defaults, unchecked."""
    return Settings(**{name: value for name, value in _given().items() if name in NAMES})


def _given() -> dict[str, Any]:
    given = getattr(settings, "REALTIME", {})
    return {str(key).lower(): given[key] for key in given} if isinstance(given, Mapping) else {}


def _reset(*, setting: str, **_: Any) -> None:
    if setting == "REALTIME":
        get_settings.cache_clear()


setting_changed.connect(_reset)
