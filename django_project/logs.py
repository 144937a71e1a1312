"""How records are written to the log."""

import logging
from collections.abc import Iterator
from copy import copy

from django.core.exceptions import SuspiciousOperation
from django.db import Error

LONGEST = 1_000
"""Characters of a message: a client chooses the path that it asks for, which may have 60,000."""


class WithoutRows(logging.Formatter):
    """Cuts long messages, and what a database adds to the first line of an error.

    PostgreSQL quotes there the row that it refuses and the statement, and with them what
    people wrote to each other. Of what Django finds suspicious in a request, such as a host
    that is not allowed, there is one line and no traceback: a client can cause any number.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Return the line of a record."""
        if len(record.message) > LONGEST:
            record.message = f"{record.message[:LONGEST]}… ({len(record.message):,} characters)"
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        if record.exc_info and isinstance(record.exc_info[1], SuspiciousOperation):
            record = copy(record)
            record.exc_info = record.exc_text = None
        text = super().format(record)
        for error in _chain(record.exc_info[1] if record.exc_info else None):
            if isinstance(error, Error):
                message = str(error)
                text = text.replace(message, message.partition("\n")[0])
        return text


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
