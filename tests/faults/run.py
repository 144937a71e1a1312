"""One run: servers, subscribers, writers, torment, and the verdict."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import orjson

from messaging.topics import ANNOUNCEMENTS, inbox_topic, room_topic
from orders.topics import ALL_ORDERS
from tests.faults.ledger import History, Report, judge
from tests.faults.scripts import Script
from tests.faults.subscribers import Stream, Subscriber
from tests.faults.tormentor import Tormentor
from tests.faults.writer import HEAVY, Task
from tests.harness.server import ServerProcess, manage
from tests.harness.servers import Environment
from tests.harness.services import Postgres, Redis

REALTIME = {
    # So small that a client which stalls falls behind, and one which resumes reads many batches.
    "BUFFER_SIZE": 20,
    "READ_BATCH": 20,
    # A client that stalls for long is taken for gone.
    "KEEP_ALIVE_INTERVAL": 5.0,
    "PONG_TIMEOUT": 8.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of everything; it ends after a round of torment, once there are the deliveries."""

    deliveries: int
    seed: int
    servers: int = 3
    subscribers: int = 400
    writers: int = 3
    rooms: int = 8
    users: int = 8
    pause: float = 0.01
    hold: float = 0.02
    start_seconds: float = 30
    catch_up_seconds: float = 30

    @property
    def room_names(self) -> list[str]:
        """The rooms that are written in."""
        return [HEAVY, *(f"room{n}" for n in range(1, self.rooms))]

    def task(self, name: str, seed: int) -> Task:
        """Return what a writer does."""
        return Task(
            name=name,
            seed=seed,
            rooms=self.room_names,
            users=self.users,
            pause=self.pause,
            hold=self.hold,
        )


async def run(
    plan: Plan, env: Environment, *, redis: Redis | None = None, postgres: Postgres | None = None
) -> Report:
    """Run it all on a database that is migrated and empty; over Redis there is a control."""
    begun = time.monotonic()
    dice = Random(plan.seed)
    env = {**env, "WATCHED_REALTIME": orjson.dumps(REALTIME).decode()}
    await asyncio.to_thread(_manage, f"prepare({plan.users})", env)
    met: Counter[str] = Counter()
    with ExitStack() as processes:
        servers = await _servers(plan, env, processes)
        ports = [server.port for server in servers]
        live, control = _streams(plan, with_control=redis is not None)
        subscribers = [
            Subscriber(
                streams=[stream, *control[n : n + 1]],
                ports=ports,
                dice=Random(f"{plan.seed} {n}"),
                met=met,
            )
            for n, stream in enumerate(live)
        ]
        tormentor = Tormentor(
            dice=dice, subscribers=subscribers, servers=servers, redis=redis, postgres=postgres
        )
        async with _running(subscribers):
            await _until(lambda: all(each.is_live for each in subscribers), plan.start_seconds)
            written, said = await _write(
                plan, env, dice, tormentor, live, with_control=bool(control)
            )
            history = await asyncio.to_thread(
                _manage, f"history({plan.room_names!r}, {plan.users})", env
            )
            written_at = time.monotonic()
            await _catch_up(live, history, patience=plan.catch_up_seconds)
            catching_up = time.monotonic() - written_at
            await asyncio.sleep(1.5)  # for what comes twice, and what no log holds
    return Report(
        live=judge(live, history),
        control=judge(control, {ANNOUNCEMENTS: said}) if control else None,
        faults=tormentor.faults,
        written=written,
        met=met,
        refused=sum(count for what, count in met.items() if what.startswith("CURSOR_")),
        seconds=time.monotonic() - begun,
        catching_up=catching_up,
        seed=plan.seed,
        logs={server.url: server.log() for server in servers},
    )


async def _servers(plan: Plan, env: Environment, processes: ExitStack) -> list[ServerProcess]:
    application = "tests.harness.watched:application"
    servers = [ServerProcess("uvicorn", env, application=application) for _ in range(plan.servers)]
    for server in servers:
        processes.push(server)
    async with asyncio.TaskGroup() as starting:
        for server in servers:
            starting.create_task(asyncio.to_thread(server.start))
    return servers


def _streams(plan: Plan, *, with_control: bool) -> tuple[list[Stream], list[Stream]]:
    """Return one live stream for each subscriber, and a control for some."""
    kinds = [
        (room_topic(room), f'it: onNewChatMessage(chatroom: "{room}") {{ text }}')
        for room in plan.room_names
    ]
    kinds += [
        (inbox_topic(n), f'it: messages(userId: "{n}") {{ text: content }}')
        for n in range(1, plan.users + 1)
    ]
    kinds.append((ALL_ORDERS, "it: getOrder { text: description }"))
    live = []
    for n in range(plan.subscribers):
        topic, field = kinds[n % len(kinds)]
        live.append(Stream(topic=topic, query=f"subscription {{ {field} }}"))
    query = "subscription { it: realTimeMessages }"
    controls = plan.subscribers // 6 if with_control else 0
    control = [Stream(topic=ANNOUNCEMENTS, query=query, resumes=False) for _ in range(controls)]
    return live, control


@asynccontextmanager
async def _running(subscribers: Sequence[Subscriber]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in subscribers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if not isinstance(end, asyncio.CancelledError | None):
            raise end


async def _write(
    plan: Plan,
    env: Environment,
    dice: Random,
    tormentor: Tormentor,
    live: Sequence[Stream],
    *,
    with_control: bool,
) -> tuple[Counter[str], list[str]]:
    """Have it written and tormented until there are the deliveries; return what was done."""
    with ExitStack() as processes:
        scripts = [
            processes.enter_context(
                Script(plan.task(f"w{n}", dice.randrange(1 << 30)).command(), env)
            )
            for n in range(plan.writers)
        ]
        announcer = None
        if with_control:
            task = replace(plan, pause=0.1).task("a", dice.randrange(1 << 30))
            announcer = processes.enter_context(Script(task.command("announce"), env))
        await _until(lambda: all(stream.received for stream in live), plan.start_seconds)
        before, reached = -1, 0
        while before < reached < plan.deliveries:
            await tormentor.round()
            before, reached = reached, sum(len(stream.received) for stream in live)
        said = await asyncio.to_thread(announcer.finish) if announcer else []
        written: Counter[str] = Counter()
        for script in scripts:
            written.update(await asyncio.to_thread(script.finish))
    return written, said


def _caught_up(live: Sequence[Stream], history: History) -> bool:
    return all(len(stream.received) >= len(history[stream.topic]) for stream in live)


async def _catch_up(live: Sequence[Stream], history: History, *, patience: float) -> None:
    """Wait until all have all, or nothing has come for so long; what is missing is lost then."""
    before = -1
    while not _caught_up(live, history):
        if before == (before := sum(len(stream.received) for stream in live)):
            return
        await _until(lambda: _caught_up(live, history), patience)


async def _until(condition: Any, seconds: float) -> None:
    """Wait for a condition, or as long as it may take; what is missing then is in the verdict."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)


def _manage(call: str, env: Environment) -> Any:
    output = manage(
        "shell", "--verbosity", "0", "-c", f"from tests.faults.writer import *; {call}", env=env
    )
    return orjson.loads(output) if output else None
