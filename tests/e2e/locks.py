"""Statements that wait for locks, as PostgreSQL itself sees them."""

import asyncio

import psycopg

from messaging.topics import room_topic
from tests.harness.services import Postgres


async def waiting_for_locks(postgres: Postgres, number: int) -> None:
    """Return when at least so many statements wait for locks."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with await psycopg.AsyncConnection.connect(postgres.url, autocommit=True) as connection:
        async with asyncio.timeout(10):
            while True:
                row = await (await connection.execute(query)).fetchone()
                if row and row[0] >= number:
                    return
                await asyncio.sleep(0.02)


async def lock_room(connection: psycopg.AsyncConnection, room: str) -> None:
    """Have everyone wait who writes in a room where something was written, until the commit."""
    query = "SELECT FROM realtime_topic WHERE name = %s FOR UPDATE"
    cursor = await connection.execute(query, [room_topic(room)])
    assert cursor.rowcount == 1
