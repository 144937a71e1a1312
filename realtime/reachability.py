"""Whether the channel layer can be reached: said once when it is lost, and once when it is back."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

logger = logging.getLogger("realtime.doorbell")

KNOCK_INTERVAL = 1.0
"""Seconds between knocks at a layer that is lost."""


class Way(Enum):
    """Which way messages go through the layer."""

    SENDING = "sending"
    RECEIVING = "receiving"


class Reachability:
    """What this process knows of the layer, from the messages that go through it, or fail to.

    While it is lost, `knock` is called again and again. It is to send, without waiting,
    a message that every receiver gets, also those here: else who has nothing to say, and
    hears nothing, would not learn that the layer is back. For use from any thread.
    """

    def __init__(self, knock: Callable[[], None]) -> None:
        self._knock = knock
        self.reset()

    def reset(self) -> None:
        """Know of no failure; in a forked process, which has connections of its own."""
        self.losses = 0
        """How often the layer was lost."""
        self._lock = threading.Lock()
        self._lost: set[Way] = set()
        self._receivers = 0
        self._knocking = False

    @property
    def is_reachable(self) -> bool:
        """Whether nothing is known to fail."""
        return not self._lost

    def lost(self, way: Way, error: Exception) -> None:
        """Say that a message did not come through."""
        with self._lock:
            if way is Way.RECEIVING and not self._receivers:
                return
            is_news, is_knocking = not self._lost, self._knocking
            self._lost.add(way)
            self.losses += is_news
            self._knocking = True
        if is_news:
            logger.warning(
                "The channel layer fails (%r): until it is back events arrive by the sweep alone, "
                "and broadcasts may be lost.",
                error,
            )
        if not is_knocking:
            knocking = threading.Thread(target=self._go_on_knocking, name="doorbell-knock")
            knocking.daemon = True  # the process may end meanwhile
            knocking.start()

    def found(self, way: Way) -> None:
        """Say that a message came through."""
        if way not in self._lost:
            return
        with self._lock:
            was_lost = bool(self._lost)
            self._lost.discard(way)
            is_news = was_lost and not self._lost
        if is_news:
            logger.info("The channel layer is back.")

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Count a receiver. Without any, sending alone tells whether a lost layer is back."""
        with self._lock:
            self._receivers += 1
        try:
            yield
        finally:
            with self._lock:
                self._receivers -= 1
                if self._receivers == 0 and Way.RECEIVING in self._lost:
                    self._lost = {Way.SENDING}

    def _go_on_knocking(self) -> None:
        while True:
            time.sleep(KNOCK_INTERVAL)
            with self._lock:
                if not self._lost:
                    self._knocking = False
                    return
            self._knock()


class OnceAlone(logging.Filter):
    """Takes the failures that channels_redis logs every second instead of raising them."""

    def __init__(self, reachability: Reachability) -> None:
        super().__init__()
        self._reachability = reachability

    def filter(self, record: logging.LogRecord) -> bool:
        """Let through what is no failure."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, Exception):
            return True
        self._reachability.lost(Way.RECEIVING, error)
        return False
