"""All servers that are measured, by name."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.contender import ROOT, Contender, daphne, uvicorn
from benchmarks.environments import PEERS, node, python_of, set_up

_LIMIT = "benchmarks.limits.direct_send:application"
_OURS = "benchmarks.ours.app:application"
_MANAGE = ROOT / "manage.py"

_CLEW = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.ours.settings",
    "CLEW_ENV_FILE": os.devnull,
    "CLEW_DEMO": "1",
    "SECRET_KEY": "benchmarks",
    "ALLOWED_HOSTS": "127.0.0.1",
}
_SEED = (sys.executable, "-m", "benchmarks.ours.seed")

_PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.ours.production",
    "CLEW_ENV_FILE": os.devnull,
    "CLEW_HTTPS": "0",
    "SECRET_KEY": "benchmarks",
    "ALLOWED_HOSTS": "127.0.0.1",
}
"""The limits of production."""


def _node(peer: str) -> Callable[[int], list[str | Path]]:
    return lambda port: [node(), PEERS / peer / "server.mjs", str(port)]


def _django_peer(peer: str, about: str, python: str | None = None) -> Contender:
    interpreter = python or python_of(peer)
    return Contender(
        name=peer.replace("_", "-"),
        about=f"{about}, Uvicorn",
        peer=peer,
        command=uvicorn(f"benchmarks.peers.{peer}.app:application", interpreter),
        seed=(interpreter, "-m", "benchmarks.peers.shop.seed"),
        environment={"DJANGO_SETTINGS_MODULE": "benchmarks.peers.shop.settings"},
    )


_ALL = (
    Contender(
        name="limit-uvicorn",
        about="a prebuilt frame through ASGI, Uvicorn",
        command=uvicorn(_LIMIT),
    ),
    Contender(
        name="limit-daphne", about="a prebuilt frame through ASGI, Daphne", command=daphne(_LIMIT)
    ),
    Contender(
        name="ours",
        about="Clew, `manage.py serve`",
        command=lambda port: [sys.executable, _MANAGE, "serve", "--port", str(port)],
        seed=_SEED,
        environment=_CLEW,
    ),
    Contender(
        name="ours-production",
        about="Clew, `manage.py serve`, with the limits of production",
        command=lambda port: [sys.executable, _MANAGE, "serve", "--port", str(port)],
        seed=(sys.executable, "-m", "benchmarks.ours.hostile_seed"),
        environment=_PRODUCTION,
    ),
    Contender(
        name="ours-daphne",
        about="Clew on Daphne",
        command=daphne(_OURS),
        limit="limit-daphne",
        seed=_SEED,
        environment=_CLEW,
    ),
    Contender(
        name="mercurius",
        about="mercurius on Node.js, with its JIT; no database",
        peer="mercurius",
        command=_node("mercurius"),
        environment={"NODE_ENV": "production"},
    ),
    Contender(
        name="graphql-ws",
        about="graphql-ws and ws on Node.js; no database",
        peer="graphql_ws",
        command=_node("graphql_ws"),
        environment={"NODE_ENV": "production"},
    ),
    _django_peer("strawberry", "Strawberry over Channels"),
    _django_peer("channels_graphql_ws", "DjangoChannelsGraphqlWs"),
    _django_peer("ariadne", "Ariadne's own handler, Channels and the ORM", sys.executable),
)

CONTENDERS = {contender.name: contender for contender in _ALL}

FOLLOWING = tuple(name for name in CONTENDERS if name != "ours-production")
"""Those that have the subscription `getOrder`, or something like it."""

QUERIED = ("ours", "ours-daphne", "mercurius", "graphql-ws", "strawberry", "ariadne")
"""Those that have the queries, `createMessage`, and the subscription `messages`."""


def chosen(names: Sequence[str]) -> list[Contender]:
    """Return the contenders of these names, installed; raises KeyError."""
    contenders = [CONTENDERS[name] for name in names]
    for contender in contenders:
        set_up(contender.peer)
    return contenders
