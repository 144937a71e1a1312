"""Connections to PostgreSQL that do not wait for ever; for psycopg's pool.

Name the class in the Django settings, which import nothing else from here:

    DATABASES["default"]["OPTIONS"]["pool"] = {"connection_class": realtime.postgresql.Connection}
"""

import logging
from collections.abc import Generator
from contextlib import suppress
from math import inf
from typing import Any, TypeVar

import psycopg
from psycopg import capabilities
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus

from realtime import deadlines
from realtime.deadlines import Limits

logger = logging.getLogger("realtime.postgresql")

R = TypeVar("R")

CHECK = Limits(answer=2.0)
"""For the pool's question whether a connection still works, before it hands one out."""

CANCEL_SECONDS = 1.0
"""For asking the server, over another connection, to cancel a statement."""


class NoAnswerError(psycopg.OperationalError):
    """The server has not answered a statement in time; its connection is closed."""


class Connection(psycopg.Connection[Any]):
    """A connection with limits: those of `realtime.deadlines` for the code that uses it.

    TCP cannot tell a server that is slow from one that is gone behind a load balancer or a
    proxy that still acknowledges what is sent.
    """

    def wait(self, gen: Generator[Any, Any, R], *args: Any, **kwargs: Any) -> R:
        """Run one exchange with the server. Raises NoAnswerError."""
        due = deadlines.answer_due()
        try:
            return super().wait(_until(due, gen), *args, **kwargs)
        except NoAnswerError:
            self._give_up()
            raise

    def execute(self, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        """Execute a statement: for the pool's check, since Django uses cursors of its own.

        If it finds a dead connection, the pool's other ones are not to be trusted, either.
        """
        try:
            with deadlines.limited(CHECK):
                return super().execute(*args, **kwargs)
        except NoAnswerError:
            if (pool := getattr(self, "_pool", None)) is not None:
                logger.warning("A connection does not answer: the pool's idle ones are replaced.")
                pool.drain()
            raise

    def _give_up(self) -> None:
        # Else a statement that waits for a lock would be executed once it has the lock.
        if capabilities.has_cancel_safe():
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=CANCEL_SECONDS)
        self.close()

    def _start_query(self) -> Generator[Any, Any, None]:
        # As psycopg begins a transaction, but with a limit of what it waits for locks. Not as a
        # parameter of the session: PgBouncer refuses it at the start, and in transaction mode
        # mixes sessions up. In the message of BEGIN, so that it costs no round trip. The method
        # is psycopg's own; tests/realtime/test_postgresql.py notices where it is not called.
        lock = deadlines.limits().lock
        is_begin = not self.autocommit and self.pgconn.transaction_status == TransactionStatus.IDLE
        if lock == inf or not is_begin or self.pgconn.pipeline_status != PipelineStatus.OFF:
            yield from super()._start_query()
            return
        limit = b"SET LOCAL lock_timeout = %d" % max(1, round(lock * 1000))
        self.pgconn.send_query(b"%s; %s" % (self._get_tx_start_command(), limit))
        for result in (yield from execute(self.pgconn)):
            if result.status != ExecStatus.COMMAND_OK:
                raise error_from_result(result)


def _until(due: float, gen: Generator[Any, Any, R]) -> Generator[Any, Any, R]:
    """Run a generator of psycopg, which is resumed each tenth of a second. Raises NoAnswerError."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and deadlines.is_over(due):
                raise NoAnswerError("the server has not answered in time")
            wanted = gen.send(ready)
    except StopIteration as stop:
        result: R = stop.value
        return result
