"""One client among a thousand stops to read: what it costs the others, the server, and itself."""

import asyncio
import json
import statistics
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from tests.e2e.audience import Listener, audience
from tests.e2e.stalling import QUERY, StallingClient, Writer
from tests.e2e.test_going_away import held
from tests.e2e.test_soak import resident
from tests.harness.server import ServerProcess
from tests.harness.servers import migrated

pytestmark = pytest.mark.alone

OTHERS = 999
FACTOR = 1.2
"""By which the others' 99th percentile may be longer with the stalled client than without it."""

GROWTH = 2 * 1024
"""KiB by which memory may grow while it stalls."""

ATTEMPTS = 3
"""Comparisons at most: other work of the machine spoils one now and then, a fault all."""

REALTIME = {"KEEP_ALIVE_INTERVAL": 3.0, "PONG_TIMEOUT": 6.0, "MAX_ALIASES": 100}
STALL_SECONDS = 10.0
"""A little more than both: the server has given the client up."""

RUN_SECONDS = 6.0
WARM_UP = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What it was like for the others while so many messages were written."""

    latencies: list[float] = field(repr=False)
    """Seconds from each message's being written to its arrival, of every delivery; sorted."""
    growth: int
    """KiB by which the server's memory grew."""

    def __add__(self, other: "Run") -> "Run":
        latencies = sorted(self.latencies + other.latencies)
        return Run(latencies=latencies, growth=self.growth + other.growth)

    def percentile(self, percent: int) -> float:
        return self.latencies[len(self.latencies) * percent // 100]

    def __str__(self) -> str:
        p50, p99 = (1000 * self.percentile(percent) for percent in (50, 99))
        return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, memory {self.growth:+,} KiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """As many messages without a stalled client, half of them before, half after, as with it."""

    without: Run
    stalled: Run
    missed: int
    """Messages that the client had not received when it was closed."""

    @property
    def factor(self) -> float:
        return self.stalled.percentile(99) / self.without.percentile(99)

    @property
    def is_good(self) -> bool:
        return self.factor <= FACTOR and self.stalled.growth <= GROWTH

    def __str__(self) -> str:
        return (
            f"without: {self.without}\n   with: {self.stalled}\n"
            f"p99 {self.factor:.2f} times, {self.missed} messages missed when closed"
        )


@dataclass(slots=True, kw_only=True)
class Demonstration:
    """One server, its clients, and what was measured of them."""

    server: ServerProcess
    writer: Writer
    others: list[Listener] = field(repr=False)
    client: StallingClient
    pace: float = 0.0
    """Seconds between two messages: the server is busy for two thirds of them."""
    comparisons: list[Comparison] = field(default_factory=list)

    async def warm_up(self) -> None:
        seconds = []
        for _ in range(WARM_UP):
            await self.writer.write()
            await self._delivered()
            last = max(other.arrivals[-1] for other in self.others)
            seconds.append(last - self.writer.times[-1])
        self.pace = 1.5 * statistics.median(seconds)

    async def compare(self) -> None:
        half = max(15, min(50, round(RUN_SECONDS / 2 / self.pace)))
        before = await self._run(half)
        await self.client.stall()
        enough = asyncio.create_task(asyncio.sleep(STALL_SECONDS))
        stalled = await self._run(2 * half)
        await enough
        await self.client.read_to_the_end()
        missed = len(self.writer.times) - len(self.client.received)
        await self.client.subscribe()
        await self._caught_up()
        after = await self._run(half)
        comparison = Comparison(without=before + after, stalled=stalled, missed=missed)
        self.comparisons.append(comparison)

    async def _run(self, messages: int) -> Run:
        loop = asyncio.get_running_loop()
        first = len(self.writer.times)
        memory = await self._memory()
        begun = loop.time()
        for n in range(messages):
            await asyncio.sleep(begun + n * self.pace - loop.time())
            await self.writer.write()
        await self._delivered()
        growth = await self._memory() - memory
        times = self.writer.times[first:]
        latencies = sorted(
            arrival - written
            for other in self.others
            for written, arrival in zip(times, other.arrivals[first:], strict=True)
        )
        return Run(latencies=latencies, growth=growth)

    async def _memory(self) -> int:
        """Return the KiB that the server holds when it has collected its garbage."""
        await asyncio.to_thread(held, self.server)
        return resident(self.server.pid)

    async def _delivered(self) -> None:
        written = len(self.writer.times)
        await _until(lambda: all(len(other.arrivals) >= written for other in self.others))

    async def _caught_up(self) -> None:
        await _until(lambda: len(self.client.received) >= len(self.writer.times))

    def __str__(self) -> str:
        deliveries = len(self.writer.times) * (len(self.others) + 1)
        head = f"{deliveries:,} deliveries, a message every {1000 * self.pace:.0f} ms"
        return "\n".join([head, *map(str, self.comparisons)])


async def _until(condition: Callable[[], bool], *, within: float = 20) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


async def demonstrate(server: ServerProcess) -> Demonstration:
    async with AsyncExitStack() as left:
        writer, client = Writer(), StallingClient(server.port)
        await writer.join(server.port)
        left.push_async_callback(writer.leave)
        await client.subscribe()
        left.push_async_callback(client.leave)
        others = await left.enter_async_context(audience(server.port, QUERY, OTHERS))
        shown = Demonstration(server=server, writer=writer, others=others, client=client)
        await shown.warm_up()
        while len(shown.comparisons) < ATTEMPTS:
            await shown.compare()
            if shown.comparisons[-1].is_good:
                break
    return shown


@pytest.fixture(scope="module")
def shown(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Demonstration:
    env = {**migrated(tmp_path_factory), "WATCHED_REALTIME": json.dumps(REALTIME)}
    application = "tests.harness.watched:application"
    with ServerProcess("uvicorn", env, application=application) as server:
        shown = asyncio.run(demonstrate(server))
        assert "Traceback" not in server.log(), server.log()
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        sys.stdout.write(f"\n{shown}\n")
    return shown


def test_the_others_are_as_quick_as_without_it(shown: Demonstration) -> None:
    assert min(comparison.factor for comparison in shown.comparisons) <= FACTOR, str(shown)


def test_it_costs_little_memory(shown: Demonstration) -> None:
    assert min(comparison.stalled.growth for comparison in shown.comparisons) <= GROWTH, str(shown)


def test_it_is_closed_for_being_slow(shown: Demonstration) -> None:
    assert set(shown.client.codes) == {4008}


def test_it_has_missed_something(shown: Demonstration) -> None:
    assert all(comparison.missed > 0 for comparison in shown.comparisons)


def test_it_resumes_whole(shown: Demonstration) -> None:
    assert shown.client.received == list(range(len(shown.writer.times)))
