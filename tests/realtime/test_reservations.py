"""Server-sent events: one connection for all operations of a client."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from realtime import rates
from realtime.asgi import graphql_app
from realtime.authentication import ViewerMiddleware
from realtime.rates import Rate
from realtime.transports import reservations
from tests.realtime.stranger import Stranger
from tests.realtime.streams import HttpStream, answer
from tests.realtime.test_streaming import EVENTS


class Client:
    """A client with one stream."""

    def __init__(self, app: Any, token: str) -> None:
        self._app = app
        self.token = token
        self.stream = HttpStream(app, "GET", accept=EVENTS, x_graphql_event_stream_token=token)

    async def operate(self, query: str, *, id: Any = "1", **headers: str) -> tuple[int, str]:
        body = {"query": query, "extensions": {"operationId": id}}
        headers["x_graphql_event_stream_token"] = self.token
        return await answer(self._app, "POST", body=body, **headers)

    async def end(self, id: str) -> int:
        query = f"operationId={id}"
        status, _ = await answer(
            self._app, "DELETE", query_string=query, x_graphql_event_stream_token=self.token
        )
        return status

    async def event(self) -> tuple[str, Any]:
        """Return the type and the data of the next event."""
        kind, _, data = (await self.stream.chunk()).removeprefix("event: ").partition("\n")
        return kind, json.loads(data.partition("data: ")[2])


@pytest.fixture
async def app(stranger: Stranger) -> Any:
    return graphql_app(stranger.schema)


@pytest.fixture
async def client(app: Any) -> AsyncIterator[Client]:
    status, token = await answer(app, "PUT")
    assert status == 201
    client = Client(app, token)
    assert await client.stream.open() == 200
    assert await client.stream.chunk() == ":\n\n"
    yield client
    await client.stream.leave()


def message(body: str) -> str:
    text: str = json.loads(body)["errors"][0]["message"]
    return text


async def test_results_bear_the_id_of_their_operation(client: Client) -> None:
    assert await client.operate("{ quick }", id="a") == (202, "")
    assert await client.event() == ("next", {"id": "a", "payload": {"data": {"quick": "done"}}})
    assert await client.event() == ("complete", {"id": "a"})


async def test_last_event_id_is_not_the_cursor_of_an_operation(client: Client) -> None:
    await client.operate("subscription { three }", last_event_id="of another operation")
    assert (await client.event())[1]["payload"] == {"data": {"three": 1}}


async def test_operations_run_side_by_side(client: Client) -> None:
    await client.operate("subscription { endless }", id="a")
    await client.operate("{ quick }", id="b")
    assert [(await client.event())[1]["id"] for _ in range(3)] == ["a", "b", "b"]


async def test_what_waits_for_the_stream_is_there_when_it_opens(app: Any) -> None:
    _, token = await answer(app, "PUT")
    client = Client(app, token)
    await client.operate("{ quick }")
    await client.stream.open()
    assert await client.stream.chunk() == ":\n\n"
    assert (await client.event())[0] == "next"
    await client.stream.leave()


async def test_the_token_may_stand_in_the_address(app: Any) -> None:
    _, token = await answer(app, "PUT")
    stream = HttpStream(app, "GET", accept=EVENTS, query_string=f"token={token}")
    assert await stream.open() == 200
    await stream.leave()


async def test_errors_arrive_as_events(client: Client) -> None:
    assert (await client.operate("{ unknown }"))[0] == 202
    kind, data = await client.event()
    assert kind == "next"
    assert "unknown" in data["payload"]["errors"][0]["message"]
    assert await client.event() == ("complete", {"id": "1"})


async def test_ending_an_operation_closes_its_source(client: Client, stranger: Stranger) -> None:
    await client.operate("subscription { endless }")
    await client.event()
    assert await client.end("1") == 200
    assert stranger.happened == ["endless started", "endless ended"]
    assert (await client.operate("{ quick }"))[0] == 202


async def test_ending_what_is_not_there_is_fine(client: Client) -> None:
    assert await client.end("1") == 200


async def test_an_id_in_use(client: Client) -> None:
    await client.operate("subscription { endless }")
    status, body = await client.operate("{ quick }")
    assert (status, message(body)) == (409, "Operation with ID already exists")


async def test_an_id_is_limited(client: Client) -> None:
    status, body = await client.operate("{ quick }", id="x" * 257)
    assert (status, message(body)) == (400, "An operation ID may have 256 characters")


async def test_a_foreign_page_cannot_have_a_browser_operate_on_its_own_stream(
    app: Any, client: Client
) -> None:
    """It would get, on its stream, what the owner of the cookies may see."""
    query = f'token={client.token}&query=%7Bquick%7D&extensions={{"operationId":"1"}}'
    status, _ = await answer(
        app, "GET", query_string=query, cookie="sessionid=1", sec_fetch_site="cross-site"
    )
    assert status == 403


@pytest.mark.parametrize("id", ["", None, 1])
async def test_no_id(id: Any, client: Client) -> None:
    status, body = await client.operate("{ quick }", id=id)
    assert (status, message(body)) == (400, "Operation ID is missing")


async def test_a_stream_has_one_reader(app: Any, client: Client) -> None:
    status, body = await answer(
        app, "GET", accept=EVENTS, x_graphql_event_stream_token=client.token
    )
    assert (status, message(body)) == (409, "Stream already open")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_unknown_token(method: str, app: Any) -> None:
    status, body = await answer(app, method, accept=EVENTS, x_graphql_event_stream_token="guessed")
    assert (status, message(body)) == (404, "Stream not found")


@pytest.fixture
def one_operation_at_once(realtime_settings: Callable[..., None]) -> None:
    realtime_settings(MAX_OPERATIONS=1)


@pytest.mark.usefixtures("one_operation_at_once")
async def test_operation_is_refused_beside_as_many_live_ones_as_may_be(client: Client) -> None:
    await client.operate("subscription { endless }", id="a")
    assert (await client.event())[1]["id"] == "a"
    assert await client.operate("{ quick }", id="b") == (202, "")
    _, data = await client.event()
    assert data["payload"]["errors"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"
    assert await client.event() == ("complete", {"id": "b"})


@pytest.mark.usefixtures("one_operation_at_once")
async def test_operation_waits_for_one_that_is_being_executed(
    client: Client, stranger: Stranger
) -> None:
    async with asyncio.TaskGroup() as requests:
        requests.create_task(client.operate("{ slow }", id="a"))
        await stranger.has("slow started")
        requests.create_task(client.operate("{ quick }", id="b"))
        stranger.release.set()
    assert [(await client.event())[1]["id"] for _ in range(4)] == ["a", "a", "b", "b"]
    assert stranger.happened == ["slow started", "slow ended", "quick started"]


async def test_burst_of_quick_operations_is_executed(client: Client) -> None:
    async with asyncio.TaskGroup() as requests:
        for number in range(180):
            requests.create_task(client.operate("{ quick }", id=str(number)))
        kinds = [(await client.event()) for _ in range(360)]
    done = [data["payload"] for kind, data in kinds if kind == "next"]
    assert done == [{"data": {"quick": "done"}}] * 180


@pytest.mark.usefixtures("one_operation_at_once")
async def test_subscription_that_was_ended_makes_room(client: Client, stranger: Stranger) -> None:
    await client.operate("subscription { endless }", id="a")
    assert (await client.event())[1]["id"] == "a"
    assert await client.end("a") == 200
    await client.operate("{ quick }", id="b")
    assert await client.event() == ("next", {"id": "b", "payload": {"data": {"quick": "done"}}})


async def test_leaving_ends_all_and_frees_the_token(app: Any, stranger: Stranger) -> None:
    before = asyncio.all_tasks()
    _, token = await answer(app, "PUT")
    client = Client(app, token)
    await client.stream.open()
    await client.operate("subscription { endless }")
    await client.stream.leave()
    assert stranger.happened == ["endless started", "endless ended"]
    assert asyncio.all_tasks() == before
    assert await client.end("1") == 404


async def test_a_reservation_that_is_not_used_expires(
    app: Any, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reservations, "OPEN_TIMEOUT", 0.01)
    before = asyncio.all_tasks()
    _, token = await answer(app, "PUT")
    client = Client(app, token)
    await client.operate("subscription { endless }")
    await stranger.has("endless ended")
    while asyncio.all_tasks() != before:
        await asyncio.sleep(0)
    assert await client.end("1") == 404


class TestTooManyReservations:
    """The oldest that was not opened makes way, and of users only for users."""

    @pytest.fixture(autouse=True)
    def _two(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reservations, "MAX_UNOPENED", 2)

    async def reserve(self, app: Any, who: str) -> Client:
        """Reserve as a user, whose name is in upper case, or from an address."""

        async def by(scope: Any, receive: Any, send: Any) -> None:
            user = {"user": SimpleNamespace(pk=who)} if who.isupper() else {}
            await app({**scope, **user, "client": (who, 1)}, receive, send)

        status, token = await answer(by, "PUT")
        assert status == 201, token
        return Client(app, token)

    async def left(self, *clients: Client) -> list[bool]:
        """Return which reservations are still there, and give them up."""
        there = []
        for client in clients:
            there.append(await client.stream.open() == 200)
            await client.stream.leave()
        return there

    @pytest.mark.parametrize(
        ("askers", "left"),
        [
            (["192.0.2.1", "192.0.2.2", "192.0.2.3"], [False, True, True]),
            (["ONE", "192.0.2.2", "192.0.2.3"], [True, False, True]),
            (["ONE", "192.0.2.2", "TWO"], [True, False, True]),
            (["ONE", "TWO", "THREE"], [False, True, True]),
        ],
    )
    async def test_the_oldest_makes_way(
        self, askers: list[str], left: list[bool], app: Any
    ) -> None:
        clients = [await self.reserve(app, asker) for asker in askers]
        assert await self.left(*clients) == left

    async def test_nobody_displaces_users_without_a_login(self, app: Any) -> None:
        clients = [await self.reserve(app, asker) for asker in ("ONE", "TWO")]
        assert (await answer(app, "PUT"))[0] == 503
        assert await self.left(*clients) == [True, True]

    async def test_an_asker_displaces_its_own_first(
        self, app: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reservations, "MAX_UNOPENED_OF_ONE", 1)
        askers = ("192.0.2.1", "192.0.2.2", "192.0.2.2")
        clients = [await self.reserve(app, asker) for asker in askers]
        assert await self.left(*clients) == [True, False, True]

    async def test_a_stream_that_is_open_stays(self, app: Any) -> None:
        client = await self.reserve(app, "192.0.2.1")
        await client.stream.open()
        others = [await self.reserve(app, "192.0.2.2") for _ in range(3)]
        assert await client.operate("{ quick }") == (202, "")
        await client.stream.leave()
        await self.left(*others)

    async def test_operations_of_the_one_that_makes_way_end(
        self, app: Any, stranger: Stranger
    ) -> None:
        before = asyncio.all_tasks()
        clients = [await self.reserve(app, "192.0.2.1") for _ in range(2)]
        await clients[0].operate("subscription { endless }")
        clients.append(await self.reserve(app, "192.0.2.1"))
        await stranger.has("endless ended")
        await self.left(*clients)
        while asyncio.all_tasks() != before:
            await asyncio.sleep(0)


async def test_reservations_have_the_rate_of_operations(
    app: Any, realtime_settings: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "_operations", Rate())
    monkeypatch.setattr(reservations, "OPEN_TIMEOUT", 0.01)
    realtime_settings(OPERATION_RATE=0.5, OPERATION_BURST=2)
    assert [(await answer(app, "PUT"))[0] for _ in range(3)] == [201, 201, 429]


OURS = ("event-stream", "operation", "realtime-")
"""How the tasks of an operation are called, and of what hears of its rights."""


@pytest.mark.django_db(transaction=True)
async def test_one_whose_stream_is_refused_expires_too(
    stranger: Stranger,
    realtime_settings: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reservations, "OPEN_TIMEOUT", 0.5)
    realtime_settings(MAX_ANONYMOUS_CONNECTIONS=0)
    app = ViewerMiddleware(graphql_app(stranger.schema))
    client = Client(app, (await answer(app, "PUT"))[1])
    await client.operate("subscription { endless }")
    assert await client.stream.open() == 429
    await client.stream.leave()
    await stranger.has("endless ended")
    async with asyncio.timeout(5):
        while any(task.get_name().startswith(OURS) for task in asyncio.all_tasks()):
            await asyncio.sleep(0.001)
