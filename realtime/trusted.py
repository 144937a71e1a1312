"""The documents that the project has registered, as this process knows them."""

import asyncio
from hashlib import sha256
from math import inf
from time import monotonic
from weakref import WeakKeyDictionary

from realtime.database import in_database
from realtime.models import TrustedDocument

PAUSE = 1.0
"""Seconds between looks at the table, whatever clients ask for."""


def hash_of(text: str) -> str:
    """Return the hash under which a document is registered."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


class TrustedDocuments:
    """Their texts by their hashes, all of them: it is the project that registers them."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._looked_at = -inf
        self._fault: Exception | None = None
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]
        self._turns = WeakKeyDictionary()

    def text(self, hash: str) -> str | None:
        """Return the text of a document, None where it is not known."""
        return self._texts.get(hash)

    def __contains__(self, text: str) -> bool:
        return hash_of(text) in self._texts

    async def refresh(self) -> None:
        """Look what others have registered and withdrawn, unless that was done just now.

        Raises what the database raised; what was known stays known.
        """
        async with self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if monotonic() - self._looked_at >= PAUSE:
                self._fault = None
                try:
                    self._texts = await in_database(_read)(self._texts)
                except Exception as error:
                    self._fault = error.with_traceback(None)
                self._looked_at = monotonic()
        if self._fault is not None:
            raise self._fault


def _read(known: dict[str, str]) -> dict[str, str]:
    hashes = set(TrustedDocument.objects.values_list("hash", flat=True))
    texts = {hash: text for hash, text in known.items() if hash in hashes}
    if unknown := hashes - texts.keys():
        added = TrustedDocument.objects.filter(hash__in=unknown)
        texts |= dict(added.values_list("hash", "text"))
    return texts
