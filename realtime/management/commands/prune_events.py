"""Delete old events."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from realtime import log

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: str) -> timedelta:
    """Return what a text such as `7d` says. Raises ArgumentTypeError."""
    given = re.fullmatch(rf"(\d+)([{''.join(UNITS)}])", text)
    if given is None:
        raise ArgumentTypeError(f"{text!r} is no duration: give one as 90s, 30m, 12h, 7d or 2w")
    return timedelta(**{UNITS[given[2]]: int(given[1])})


class Command(BaseCommand):
    """Delete old events, a batch at a time, so that no writer waits for long."""

    help = "Delete the events that are older than this; cursors from before are refused then."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--older-than", type=duration, required=True, metavar="7d")
        parser.add_argument("--batch", type=int, default=1_000, help="events in one transaction")

    def handle(self, *, older_than: timedelta, batch: int, **_: Any) -> None:
        """Run the command."""
        before = timezone.now() - older_than
        deleted = log.prune(before, batch=batch)
        self.stdout.write(f"Deleted {deleted} events from before {before:%Y-%m-%d %H:%M:%S %Z}.")
