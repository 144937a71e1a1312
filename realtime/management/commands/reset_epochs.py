"""Have all cursors refused."""

from typing import Any

from django.core.management.base import BaseCommand

from realtime import log


class Command(BaseCommand):
    """Have all cursors refused; for after a restore from a backup."""

    help = (
        "Give every topic a new epoch. After a restore from a backup clients hold cursors of "
        "events that are no more: they are refused, and clients fetch the state afresh."
    )

    def handle(self, **_: Any) -> None:
        """Run the command."""
        self.stdout.write(f"Reset the epochs of {log.reset_epochs()} topics.")
