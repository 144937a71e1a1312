"""How much one may ask for in a time."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from ariadne import QueryType, make_executable_schema

from realtime import rates
from realtime.asgi import graphql_app
from realtime.rates import Rate, asker_in, network_of
from realtime.testing import GraphQLClient, OperationError
from tests.realtime.streams import answer

QUICK = {"query": "{ quick }"}


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_operations", "_messages"):
        monkeypatch.setattr(rates, name, Rate())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Hold the time still; its only item is what it is."""
    now = [100.0]
    monkeypatch.setattr(rates, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def application() -> Any:
    query = QueryType()

    @query.field("quick")
    def quick(*_: Any) -> str:
        return "done"

    return graphql_app(make_executable_schema("type Query { quick: String }", query))


class TestRate:
    def test_a_burst_then_so_many_a_second(self, clock: list[float]) -> None:
        rate = Rate()
        early = [rate.spend("a", per_second=10, burst=3) for _ in range(5)]
        assert early == pytest.approx([0, 0, 0, 0.1, 0.1])
        clock[0] += 0.25
        early = [rate.spend("a", per_second=10, burst=3) for _ in range(3)]
        assert early == pytest.approx([0, 0, 0.05])

    def test_a_rest_is_worth_a_burst_and_no_more(self, clock: list[float]) -> None:
        rate = Rate()
        rate.spend("a", per_second=10, burst=2)
        clock[0] += 1_000
        early = [rate.spend("a", per_second=10, burst=2) > 0 for _ in range(3)]
        assert early == [False, False, True]

    def test_each_for_itself(self, clock: list[float]) -> None:
        rate = Rate()
        assert [rate.spend(asker, per_second=1, burst=1) for asker in "abc"] == [0, 0, 0]

    def test_a_bounded_number_is_remembered(
        self, clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rates, "MOST", 2)
        rate = Rate()
        for asker in "abc":
            rate.spend(asker, per_second=1, burst=1)
        assert rate.spend("c", per_second=1, burst=1) > 0
        assert rate.spend("a", per_second=1, burst=1) == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unix:", None),
        ("", None),
    ],
)
def test_of_ipv6_the_network_counts(address: str, network: str | None) -> None:
    assert network_of(address) == network
    assert asker_in({"client": (address, 1)}) == network


class TestOperations:
    @pytest.fixture(autouse=True)
    def _two(self, realtime_settings: Callable[..., None], clock: list[float]) -> None:
        realtime_settings(OPERATION_RATE=0.5, OPERATION_BURST=2)

    async def test_over_a_socket(self, application: Any, subprotocol: str) -> None:
        async with GraphQLClient(application, subprotocol=subprotocol) as client:
            for _ in range(2):
                await client.query("{ quick }")
            with pytest.raises(OperationError) as caught:
                await client.query("{ quick }")
            assert caught.value.codes == ["RATE_LIMITED"]
            assert caught.value.errors[0]["extensions"]["retryAfter"] == 2

    async def test_on_several_sockets(self, application: Any, subprotocol: str) -> None:
        for _ in range(2):
            async with GraphQLClient(application, subprotocol=subprotocol) as client:
                await client.query("{ quick }")
        async with GraphQLClient(application, subprotocol=subprotocol) as client:
            with pytest.raises(OperationError):
                await client.query("{ quick }")

    @pytest.mark.parametrize(
        "accept",
        ["application/json", "text/event-stream", "multipart/mixed;subscriptionSpec=1.0"],
    )
    async def test_over_http(self, accept: str, application: Any) -> None:
        statuses = [
            (await answer(application, "POST", body=QUICK, accept=accept))[0] for _ in range(2)
        ]
        assert 429 not in statuses
        status, body = await answer(application, "POST", body=QUICK, accept=accept)
        assert status == 429
        assert '"code":"RATE_LIMITED"' in body

    async def test_later_there_is_time_again(self, application: Any, clock: list[float]) -> None:
        async with GraphQLClient(application) as client:
            for _ in range(2):
                await client.query("{ quick }")
            clock[0] += 2
            await client.query("{ quick }")


async def test_messages_that_come_too_early_wait(
    application: Any, subprotocol: str, realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(MESSAGE_RATE=100, MESSAGE_BURST=2)
    async with GraphQLClient(application, subprotocol=subprotocol) as client:
        assert [await client.query("{ quick }") for _ in range(10)] == [{"quick": "done"}] * 10


async def test_several_sockets_share_one_rate_of_messages(
    application: Any,
    subprotocol: str,
    realtime_settings: Callable[..., None],
    clock: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def pass_time(seconds: float) -> None:
        until = clock[0] + seconds
        await asyncio.sleep(0)  # others begin to wait meanwhile
        clock[0] = max(clock[0], until)

    monkeypatch.setattr(rates, "asyncio", SimpleNamespace(sleep=pass_time))
    realtime_settings(MESSAGE_RATE=10, MESSAGE_BURST=4)
    async with AsyncExitStack() as stack:
        clients = [GraphQLClient(application, subprotocol=subprotocol) for _ in range(4)]
        for client in clients:
            await stack.enter_async_context(client)
        await asyncio.gather(*(client.query("{ quick }") for client in clients * 5))
    assert clock[0] - 100 == pytest.approx(20 / 10)  # the burst went to `connection_init`
