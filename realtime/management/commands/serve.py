"""Serve in production: Uvicorn, set as the engine wants it."""

import socket
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import suppress
from errno import EADDRINUSE
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from realtime import doorbell
from realtime.access_log import without_query_strings
from realtime.conf import get_settings

BACKLOG = 4096
"""Connections that wait to be accepted: after a restart all clients come at once."""

FRAMES = 16
"""How many times MAX_MESSAGE_SIZE a message may have to be read at all.

The engine says why it closes. Uvicorn breaks off in the middle of the message, which a
client may take for a broken network, and try again.
"""

KEEP_ALIVE = 75
"""Seconds that a connection may idle between requests: more than proxies hold theirs, for the
usual 60, lest one sends a request into a connection that is being closed."""

NEEDED = ("uvicorn", "websockets")
"""What Uvicorn's extra `standard` brings, as far as the server cannot do without."""

LAST_PORT = 2**16 - 1

CHECKS = "serve"
"""Tag of system checks, also of those for deployment alone, that must pass before it serves."""

HEALTHCHECK_TIMEOUT = 30
"""Seconds in which a worker must answer its supervisor, also while it imports the project."""


def positive(text: str) -> int:
    """Return what a text such as `2` says. Raises ArgumentTypeError."""
    if not (text.isdecimal() and int(text)):
        raise ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def port_number(text: str) -> int:
    """Return what a text such as `8000` says. Raises ArgumentTypeError."""
    if (number := positive(text)) > LAST_PORT:
        raise ArgumentTypeError(f"{text!r} is no port: they end at {LAST_PORT}")
    return number


def check_port(host: str, port: int) -> None:
    """Raise CommandError if the port is in use. What else may be wrong Uvicorn says itself."""
    with suppress(OSError):
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Uvicorn does
                if family == socket.AF_INET6:
                    trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    trial.bind(address)
                except OSError as error:
                    if error.errno == EADDRINUSE:
                        message = f"Port {port} is in use: choose another with --port."
                        raise CommandError(message) from None


class Command(BaseCommand):
    """Serves ASGI_APPLICATION under Uvicorn, which is imported only here."""

    help = "Serve the project under Uvicorn, as in production."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
        parser.add_argument(
            "--port", type=port_number, default=8000, help="port (default: %(default)s)"
        )
        parser.add_argument(
            "--workers", type=positive, default=1, help="processes (default: %(default)s)"
        )
        parser.add_argument(
            "--forwarded-allow-ips",
            metavar="ADDRESSES",
            help="proxies, with commas, whose X-Forwarded-For and -Proto are believed",
        )
        parser.add_argument(
            "--graceful-timeout",
            type=positive,
            default=30,
            metavar="SECONDS",
            help="wait for clients that do not read at the end (default: %(default)s)",
        )
        parser.add_argument("--access-log", action="store_true", help="log each request")

    def handle(
        self,
        *,
        host: str,
        port: int,
        workers: int,
        forwarded_allow_ips: str | None,
        graceful_timeout: int,
        access_log: bool,
        **_: Any,
    ) -> None:
        """Run until told to end."""
        if missing := [name for name in NEEDED if find_spec(name) is None]:
            raise CommandError(
                f"manage.py serve needs {' and '.join(missing)}: install clew[serve], "
                "or uvicorn[standard]."
            )
        import uvicorn

        application: str = getattr(settings, "ASGI_APPLICATION", None) or ""
        if "." not in application:
            raise CommandError("Set ASGI_APPLICATION, as 'project.asgi.application'.")
        # Here, where an error ends the command: workers that fail are started again and again.
        self.check(tags=[CHECKS], include_deployment_checks=True)
        if workers > 1 and not doorbell.reaches_other_processes():
            self._warn_of_memory()
        check_port(host, port)
        uvicorn.run(
            ":".join(application.rsplit(".", 1)),  # each worker imports it for itself
            host=host,
            port=port,
            workers=workers,
            backlog=BACKLOG,
            access_log=access_log,
            log_config=without_query_strings(uvicorn.config.LOGGING_CONFIG),
            proxy_headers=forwarded_allow_ips is not None,
            forwarded_allow_ips=forwarded_allow_ips or "",
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=graceful_timeout,
            timeout_worker_healthcheck=HEALTHCHECK_TIMEOUT,
            http="realtime.uvicorn_http:HTTP",
            ws="realtime.uvicorn_websocket:WebSocket",
            ws_max_size=FRAMES * get_settings().max_message_size,
            # More than doubles the memory of a connection.
            ws_per_message_deflate=False,
            # The engine pings. A ping of Uvicorn's own that is not answered ends in 1011, after
            # which the client graphql-ws does not come back.
            ws_ping_interval=None,
            ws_ping_timeout=None,
        )

    def _warn_of_memory(self) -> None:
        interval = get_settings().sweep_interval
        self.stderr.write(
            self.style.WARNING(
                "The channel layer is in memory, and does not reach the other workers: their "
                f"events arrive by the sweep, within {interval:g} s, their broadcasts never."
            )
        )
