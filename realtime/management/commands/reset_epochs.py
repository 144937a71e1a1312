"""Have all cursors refused."""

from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from realtime import log


class Command(BaseCommand):
    """Have all cursors refused; for after a restore from a backup."""

    help = (
        "Give every topic a new epoch. After a restore from a backup clients hold cursors of "
        "events that are no more: they are refused, and clients fetch the state afresh."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--no-input", "--noinput", action="store_false", dest="interactive", help="do not ask"
        )

    def handle(self, *, interactive: bool, **_: Any) -> None:
        """Run the command, if that is confirmed."""
        if interactive:
            answer = ""
            with suppress(EOFError):  # nobody is there to answer
                answer = input("All clients will have to fetch the state afresh. Go on? [y/N] ")
            if answer.strip().lower() not in {"y", "yes"}:
                raise CommandError("Nothing was changed.")
        self.stdout.write(f"Reset the epochs of {log.reset_epochs()} topics.")
