"""Kills, stops, cuts and stalls, at random but as its seed says."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.faults.subscribers import Subscriber
from tests.faults.writer import HEAVY
from tests.harness.server import ServerProcess
from tests.harness.service_process import Service
from tests.harness.services import Postgres, Redis

KILLED = "server processes killed"
DRAINED = "server processes told to end"
REDIS = "Redis killed and emptied"
POSTGRES = "PostgreSQL stopped at once"
CUT = "connections cut"
STALLED = "clients stalled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Random times between bounds, in seconds."""

    pause: tuple[float, float] = (0.5, 2.0)
    away: tuple[float, float] = (0.1, 2.5)
    stall: tuple[float, float] = (2.0, 11.0)


@dataclass(slots=True, kw_only=True)
class Tormentor:
    """Faults of every kind there is something for; those of different services may overlap."""

    dice: Random
    subscribers: Sequence[Subscriber]
    servers: Sequence[ServerProcess]
    redis: Redis | None = None
    postgres: Postgres | None = None
    pace: Pace = field(default_factory=Pace)
    faults: Counter[str] = field(default_factory=Counter)
    _locks: dict[Service, asyncio.Lock] = field(default_factory=dict)

    async def round(self) -> None:
        """Inflict each kind of fault, in any order, and wait until all is up again."""
        kinds: list[Callable[[], Coroutine[Any, Any, None]]] = [
            *[self._kill_server, self._cut, self._stall] * 2,
            self._drain_server,
            *[self._kill_redis] * (self.redis is not None),
            *[self._stop_postgres] * (self.postgres is not None),
        ]
        self.dice.shuffle(kinds)
        async with asyncio.TaskGroup() as under_way:
            for inflict in kinds:
                under_way.create_task(inflict())
                await asyncio.sleep(self.dice.uniform(*self.pace.pause))

    async def _kill_server(self) -> None:
        server = self._next_server()
        await self._take_away(server, server.kill, KILLED)

    async def _drain_server(self) -> None:
        server = self._next_server()
        await self._take_away(server, server.stop, DRAINED)

    def _next_server(self) -> ServerProcess:
        return self.servers[(self.faults[KILLED] + self.faults[DRAINED]) % len(self.servers)]

    async def _kill_redis(self) -> None:
        assert self.redis is not None
        await self._take_away(self.redis, self.redis.kill, REDIS)

    async def _stop_postgres(self) -> None:
        server = self.postgres
        assert server is not None
        await self._take_away(server, lambda: server.stop(immediate=True), POSTGRES)

    async def _take_away(self, service: Service, end: Callable[[], None], kind: str) -> None:
        away = self.dice.uniform(*self.pace.away)
        self.faults[kind] += 1
        async with self._locks.setdefault(service, asyncio.Lock()):
            await asyncio.to_thread(end)
            await asyncio.sleep(away)
            await asyncio.to_thread(service.start)

    async def _cut(self) -> None:
        for subscriber in self._some():
            if subscriber.socket is not None and not subscriber.socket.closed.done():
                subscriber.socket.cut()
                self.faults[CUT] += 1

    async def _stall(self) -> None:
        # Always some who would have much to read, so that the servers feel it.
        heavy = [each for each in self.subscribers if HEAVY in each.streams[0].topic]
        stalled = {id(each): each for each in [*self._some(), *self.dice.sample(heavy, 2)]}
        sockets = [each.socket for each in stalled.values() if each.socket is not None]
        for socket in sockets:
            socket.stall()
            self.faults[STALLED] += 1
        await asyncio.sleep(self.dice.uniform(*self.pace.stall))
        for socket in sockets:
            socket.go_on()

    def _some(self) -> list[Subscriber]:
        share = self.dice.uniform(0.02, 0.2)
        return self.dice.sample(self.subscribers, max(1, int(share * len(self.subscribers))))
