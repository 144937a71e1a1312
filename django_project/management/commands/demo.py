"""The command behind `make run`."""

import os
import socket
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command

from django_project.demo import PASSWORD, load_demo, private_files


class Command(BaseCommand):
    """Serves the demo."""

    help = "Migrate, load demo data on the first start, and serve with reload."
    requires_system_checks = []  # `runserver` makes them

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the port."""
        parser.add_argument("port", type=int, nargs="?", default=8000)

    def handle(self, *, port: int, **_: Any) -> None:
        """Run until interrupted."""
        if not settings.CLEW_DEMO:
            raise CommandError(
                "Demo mode is off. `make run` turns it on, and so does DEBUG=1 in the environment."
            )
        self._check_port(port)
        self._keep_files_private()
        call_command("migrate", verbosity=0)
        if password := load_demo():
            self.stdout.write(
                "Demo data was loaded. Users user_one and user_two have the password "
                f"{PASSWORD!r}.\nThe user admin has the password {password!r}; "
                "it is shown only now."
            )
        self.stdout.write(f"Open http://127.0.0.1:{port}/")
        self.stdout.flush()
        # A process of its own: only under its own name does it outlive a syntax error.
        command = [sys.executable, sys.argv[0], "runserver", f"127.0.0.1:{port}"]
        os.execv(sys.executable, command)  # noqa: S606

    def _keep_files_private(self) -> None:
        try:
            for file in private_files():
                self.stdout.write(f"{file} was readable by others; now by you alone.")
        except OSError as error:
            self.stderr.write(f"{error.filename} stays as it is: {error.strerror}.")

    def _check_port(self, port: int) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as error:
                reason = error.strerror if isinstance(error, OSError) else "no such port"
                raise CommandError(
                    f"Port {port} cannot be used ({reason}). Choose another: make run PORT=8001"
                ) from None
