"""How records are written to the log."""

import logging
from collections.abc import Iterator

from django.db import Error


class WithoutRows(logging.Formatter):
    """Cuts what a database adds to the first line of an error.

    PostgreSQL quotes there the row that it refuses and the statement, and with them what
    people wrote to each other.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
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
