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

DEAR = "{" + " ".join(f"a{n}: quick" for n in range(20)) + "}"
"""It costs 20, and is 100 tokens of work where the document is new."""


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


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have so many tokens, and so much of cost, count as one operation."""
    monkeypatch.setattr(rates, "TOKENS", 8)
    monkeypatch.setattr(rates, "COST", 5)


@pytest.mark.usefixtures("small")
class TestLargeOperations:
    """A large operation counts as several: what comes after it has to wait."""

    @pytest.fixture(autouse=True)
    def _ten(self, realtime_settings: Callable[..., None], clock: list[float]) -> None:
        realtime_settings(OPERATION_RATE=1, OPERATION_BURST=10)

    async def accepted(self, application: Any, query: str, **options: Any) -> int:
        """Return how often one operation is accepted in a row, at most ten times."""
        for times in range(10):
            status, _ = await answer(application, "POST", body={"query": query, **options})
            if status == 429:
                return times
        return 10

    async def test_a_small_one_counts_once(self, application: Any) -> None:
        assert await self.accepted(application, "{ quick }") == 10

    async def test_parsing_counts_where_the_document_is_new(self, application: Any) -> None:
        padded = "{ quick " + "# comment\n" * 100 + "}"
        assert await self.accepted(application, padded) == 1

    async def test_executing_counts_each_time(self, application: Any, clock: list[float]) -> None:
        await answer(application, "POST", body={"query": DEAR})
        clock[0] += 1_000
        assert await self.accepted(application, DEAR) == 3  # of four each

    @pytest.mark.parametrize(
        "query", ["{ " * 150, "{" + "quick " * 50 + "}", "{ quick }" + "#\n" * 2_000]
    )
    async def test_what_a_limit_refuses_counts(self, query: str, application: Any) -> None:
        await answer(application, "POST", body={"query": query})
        assert (await answer(application, "POST", body=QUICK))[0] == 429

    async def test_the_bytes_of_variables_count(
        self, application: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rates, "VARIABLES", 100)
        variables = {"v": "x" * 1_000}
        assert await self.accepted(application, "{ quick }", variables=variables) == 1

    async def test_the_bytes_of_a_body_count(
        self, application: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rates, "BYTES", 100)
        padding = {"extensions": {"padding": "x" * 1_000}}
        assert await self.accepted(application, "{ quick }", **padding) == 1

    async def test_over_a_socket(self, application: Any, subprotocol: str) -> None:
        async with GraphQLClient(application, subprotocol=subprotocol) as client:
            await client.query(DEAR)
            with pytest.raises(OperationError) as caught:
                await client.query("{ quick }")
            assert caught.value.codes == ["RATE_LIMITED"]

    async def test_what_it_counts_is_worked_off(self, application: Any, clock: list[float]) -> None:
        await answer(application, "POST", body={"query": DEAR})
        assert (await answer(application, "POST", body=QUICK))[0] == 429
        clock[0] += 20
        assert (await answer(application, "POST", body=QUICK))[0] == 200


async def test_an_address_without_a_login_has_a_rate_of_its_own(
    application: Any, clock: list[float], realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(OPERATION_RATE=10, OPERATION_BURST=1, ANONYMOUS_OPERATION_RATE=1)
    await answer(application, "POST", body=QUICK)
    clock[0] += 0.5
    assert (await answer(application, "POST", body=QUICK))[0] == 429
    clock[0] += 0.5
    assert (await answer(application, "POST", body=QUICK))[0] == 200


async def test_users_at_one_address_share_ten_times_the_rate_of_one(
    application: Any, clock: list[float], realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(OPERATION_RATE=1, OPERATION_BURST=1)

    async def status(pk: int, address: str) -> int:
        async def by(scope: Any, receive: Any, send: Any) -> None:
            scope = {**scope, "user": SimpleNamespace(pk=pk), "client": (address, 1)}
            await application(scope, receive, send)

        return (await answer(by, "POST", body=QUICK))[0]

    statuses = [await status(pk, "192.0.2.1") for pk in range(11)]
    assert statuses == [200] * 10 + [429]
    assert await status(11, "192.0.2.2") == 200


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
