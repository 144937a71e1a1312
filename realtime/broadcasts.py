"""Broadcasts: what is told to those who listen now, and kept nowhere.

They are for what need not be known later: who is typing, who is there, how far a job is.
What must arrive is an event of a published model.
"""

import asyncio
from typing import Any

from django.db import connections, transaction

from realtime import doorbell, payloads


def broadcast(topic: str, payload: Any) -> None:
    """Tell the present subscribers of a topic: at most once, in order, never again.

    A payload is made of JSON types, dates, datetimes, times, timedeltas, Decimals, UUIDs
    and model instances, also within lists and dicts. Raises TypeError or ValueError for
    another, before anything is sent. Tuples arrive as lists, instances as they stand in
    the database when they are received.

    Within a transaction it goes out with the commit, and not at all after a rollback. It
    may be called from any thread, and from code on an event loop, too. It never waits, but
    where a thread without a loop says more than the channel layer takes.
    """
    text = payloads.to_text(payload)
    if not _is_on_event_loop():
        doorbell.wait_for_room()
    _carry(topic, text)


async def abroadcast(topic: str, payload: Any) -> None:
    """Do as `broadcast` does, and let others have their turn: one may send many in a row."""
    text = payloads.to_text(payload)
    if doorbell.has_room():
        await asyncio.sleep(0)
    else:
        await asyncio.to_thread(doorbell.wait_for_room)
    _carry(topic, text)


def _carry(topic: str, text: str) -> None:
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            # No partial: Django reports a failing robust function by its __qualname__.
            transaction.on_commit(lambda: _carry(topic, text), using=connection.alias, robust=True)
            return
    doorbell.carry(topic, text)


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
