"""`GraphQLWSProtocol` in the place of the class of subscriptions-transport-ws-python."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio import wait_all_tasks_blocked

from realtime.protocols import GraphQLWSProtocol
from tests.realtime.test_driver import ROOT, Gone, asyncio_is_not_running, on_both_loops

INIT = {"type": "connection_init"}
START = {"type": "start"}
STOP = {"type": "stop"}
TERMINATE = {"type": "connection_terminate"}
ACK = {"type": "connection_ack"}
COMPLETE = {"type": "complete"}


class Client:
    """What a protocol has sent and closed with, and what has happened to its operations."""

    def __init__(self, tasks: Any, closed: tuple[Any, ...] = (Gone,)) -> None:
        self.received: list[Any] = []
        self.happened: list[str] = []
        self.arguments: list[Any] = []
        self.release = anyio.Event()
        self.tasks = tasks
        self.protocol = GraphQLWSProtocol(
            send=self.send, close=self.close, subscribe=self.subscribe, raised_when_closed=closed
        )

    async def send(self, message: dict[str, Any]) -> None:
        await anyio.lowlevel.checkpoint()
        self.received.append(message)

    async def close(self, close_code: int) -> None:
        assert type(close_code) is int
        self.received.append(close_code)

    async def subscribe(self, **arguments: Any) -> AsyncIterator[Any]:
        self.arguments.append(arguments)
        query = arguments["query"] or "endless"
        self.happened.append(f"{query} begins")
        try:
            yield 1
            match query:
                case "two":
                    yield 2
                    return
                case "failing":
                    raise KeyError("a secret")
                case "gone":
                    raise Gone
            await anyio.sleep_forever()
        finally:
            if query == "tidy":
                with anyio.CancelScope(shield=asyncio_is_not_running()):
                    await self.release.wait()
            self.happened.append(f"{query} ends")
            if query == "clumsy":
                raise KeyError("a secret")

    async def begun(self, message: dict[str, Any]) -> None:
        """Start an operation, and wait until it waits for its second result."""
        self.tasks.start_soon(self.protocol, message)
        await wait_all_tasks_blocked()


@asynccontextmanager
async def connected(*args: Any) -> AsyncIterator[Client]:
    async with anyio.create_task_group() as tasks:
        client = Client(tasks, *args)
        await client.protocol(INIT)
        assert client.received == [ACK]
        client.received.clear()
        try:
            yield client
        finally:
            client.release.set()
            tasks.cancel_scope.cancel()


def start(query: str, **fields: Any) -> dict[str, Any]:
    return {**START, "payload": {"query": query}, **fields}


def data(payload: Any, **fields: Any) -> dict[str, Any]:
    return {**fields, "type": "data", "payload": payload}


async def test_the_flow_of_its_readme_prints_what_that_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (ROOT / "docs/protocols.md").read_text()
    [code] = [
        block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "counter" in block
    ]
    example: dict[str, Any] = {"__name__": "example"}
    exec(code, example)
    await example["main"]()
    assert capsys.readouterr().out.splitlines() == [
        "{'type': 'connection_ack'}",
        "{'type': 'data', 'payload': {'counter': 0}}",
        "{'type': 'data', 'payload': {'counter': 1}}",
        "{'close_code': 1011}",
    ]


def test_it_names_the_legacy_subprotocol() -> None:
    assert GraphQLWSProtocol.name == "graphql-ws"


class TestOpening:
    @pytest.mark.parametrize("id", [{}, {"id": 1}, {"id": "1"}, {"id": 1.5}, {"id": [1]}])
    @on_both_loops
    async def test_each_init_is_acknowledged_under_its_id(self, id: dict[str, Any]) -> None:
        async with connected() as client:
            for _ in range(2):
                await client.protocol({**INIT, **id})
            assert client.received == [{**id, **ACK}] * 2

    @pytest.mark.parametrize("payload", [None, "", "token", 1, [], {"token": "x"}])
    @on_both_loops
    async def test_payload_of_an_init_is_not_looked_at(self, payload: Any) -> None:
        async with connected() as client:
            await client.protocol({**INIT, "payload": payload})
            assert client.received == [ACK]

    @on_both_loops
    async def test_start_before_any_init_closes(self) -> None:
        async with anyio.create_task_group() as tasks:
            client = Client(tasks)
            await client.protocol(start("two"))
            assert client.received == [4401]
            assert client.happened == []


class TestOperations:
    @pytest.mark.parametrize("id", [{}, {"id": 1}, {"id": "1"}, {"id": ""}, {"id": 1.5}])
    @on_both_loops
    async def test_results_and_completion_bear_the_id_if_there_is_one(
        self, id: dict[str, Any]
    ) -> None:
        async with connected() as client:
            await client.protocol(start("two", **id))
            assert client.received == [data(1, **id), data(2, **id), {**id, **COMPLETE}]

    @pytest.mark.parametrize(
        ("payload", "expected"),
        [
            (None, {}),
            ({}, {}),
            ({"query": None, "variables": None}, {}),
            ({"operationName": ""}, {}),
            (
                {"query": "two", "variables": {"a": 1}, "operationName": "A"},
                {"query": "two", "variables": {"a": 1}, "operation_name": "A"},
            ),
        ],
    )
    @on_both_loops
    async def test_what_is_not_asked_for_is_none(self, payload: Any, expected: Any) -> None:
        async with connected() as client:
            await client.begun({**START, "payload": payload})
            nothing = {"query": None, "variables": None, "operation_name": None}
            assert client.arguments == [{**nothing, **expected}]

    @on_both_loops
    async def test_payloads_are_what_the_iterator_yields(self) -> None:
        results, sent = [{"any": object()}, object()], []

        async def subscribe(**_: Any) -> AsyncIterator[Any]:
            for result in results:
                yield result

        async def send(message: dict[str, Any]) -> None:
            sent.append(message.get("payload"))

        protocol = GraphQLWSProtocol(send=send, close=send, subscribe=subscribe)  # type: ignore[arg-type]  # is not called
        await protocol(INIT)
        await protocol(START)
        assert sent == [None, *results, None]

    @pytest.mark.parametrize("id", [{}, {"id": 1}])
    @on_both_loops
    async def test_stop_completes_when_the_iterator_has_cleaned_up(
        self, id: dict[str, Any]
    ) -> None:
        async with connected() as client:
            await client.begun(start("tidy", **id))
            await client.protocol({**STOP, **id})
            await wait_all_tasks_blocked()
            assert client.received == [data(1, **id)]
            client.release.set()
            await wait_all_tasks_blocked()
            assert client.received == [data(1, **id), {**id, **COMPLETE}]
            assert client.happened == ["tidy begins", "tidy ends"]

    @pytest.mark.parametrize("id", [{}, {"id": 2}, {"id": []}])
    @on_both_loops
    async def test_stopping_what_does_not_run_is_ignored(self, id: dict[str, Any]) -> None:
        async with connected() as client:
            await client.begun(start("endless", id=1))
            await client.protocol({**STOP, **id})
            await wait_all_tasks_blocked()
            assert client.received == [data(1, id=1)]

    @on_both_loops
    async def test_starting_again_ends_the_old_operation_without_a_word(self) -> None:
        async with connected() as client:
            await client.begun(start("endless"))
            await client.protocol(start("two"))
            assert client.received == [data(1), data(1), data(2), COMPLETE]
            assert client.happened[:3] == ["endless begins", "endless ends", "two begins"]

    @on_both_loops
    async def test_one_operation_too_many_gets_an_error(self) -> None:
        async with connected() as client:
            for id in range(100):
                client.tasks.start_soon(client.protocol, start("endless", id=id))
            await wait_all_tasks_blocked()
            client.received.clear()
            await client.protocol(start("two", id="x"))
            error = {"message": "A connection may have 100 operations at once"}
            assert client.received == [{"id": "x", "type": "error", "payload": error}]


class TestClosing:
    @on_both_loops
    async def test_terminating_ends_operations_then_closes(self) -> None:
        async with connected() as client:
            await client.begun(start("endless"))
            await client.protocol(STOP)  # of which nothing more is told
            await client.protocol(TERMINATE)
            assert client.received == [data(1), 1011]
            assert client.happened == ["endless begins", "endless ends"]

    @on_both_loops
    async def test_nothing_is_sent_after_terminating_but_closes(self) -> None:
        async with connected() as client:
            for message in (TERMINATE, TERMINATE, INIT, {"type": "?"}, "nonsense", STOP):
                await client.protocol(message)
            await client.protocol(start("two"))
            assert client.received == [1011, 1011]
            assert client.happened == []

    @on_both_loops
    async def test_stop_ends_operations_and_sends_nothing(self) -> None:
        async with connected() as client:
            await client.begun(start("endless", id=1))
            await client.begun(start("endless", id=2))
            client.received.clear()
            await client.protocol.stop()
            await client.protocol(TERMINATE)
            assert client.received == []
            assert client.happened == ["endless begins"] * 2 + ["endless ends"] * 2

    @on_both_loops
    async def test_results_may_say_that_the_socket_is_gone(self) -> None:
        async with connected() as client:
            await client.begun(start("endless", id=1))
            await client.protocol(start("gone", id=2))
            await wait_all_tasks_blocked()
            assert client.received == [data(1, id=1), data(1, id=2)]
            assert sorted(client.happened[2:]) == ["endless ends", "gone ends"]


class TestErrors:
    @pytest.mark.parametrize("id", [{}, {"id": 1}])
    @on_both_loops
    async def test_an_exception_is_masked_and_raised(self, id: dict[str, Any]) -> None:
        async with connected() as client:
            with pytest.raises(KeyError, match="a secret"):
                await client.protocol(start("failing", **id))
            error = {**id, "type": "error", "payload": {"message": "Internal error"}}
            assert client.received == [data(1, **id), error]

    @on_both_loops
    async def test_an_exception_after_a_stop_is_raised(self) -> None:
        raised = []

        async def run(client: Client) -> None:
            with pytest.raises(KeyError) as caught:
                await client.protocol(start("clumsy"))
            raised.append(caught.value)

        async with connected() as client:
            client.tasks.start_soon(run, client)
            await wait_all_tasks_blocked()
            await client.protocol(STOP)
            await wait_all_tasks_blocked()
            assert len(raised) == 1
            assert client.received == [data(1), COMPLETE]

    @pytest.mark.parametrize(
        ("message", "text"),
        [
            ({"id": 1, "type": "subscribe"}, "Unhandled message type: subscribe"),
            ({"id": 1}, "Unhandled message type: None"),
            ({"id": 1, "type": ["start"]}, "Unhandled message type: ['start']"),
            (
                start("two", id=1, payload=[]),
                "Invalid start message: payload must be an object or null",
            ),
            (
                start("two", id=1, payload={"query": 1}),
                "Invalid start message: payload.query must be a string",
            ),
            (
                start("two", id=1, payload={"variables": []}),
                "Invalid start message: payload.variables must be an object or null",
            ),
        ],
    )
    @on_both_loops
    async def test_a_wrong_message_gets_an_error_under_its_id(
        self, message: dict[str, Any], text: str
    ) -> None:
        async with connected() as client:
            await client.protocol(json.dumps(message))
            assert client.received == [{"id": 1, "type": "error", "payload": {"message": text}}]

    @pytest.mark.parametrize(
        ("message", "text"),
        [
            ("nonsense", "Message is not valid JSON"),
            (b"[]", "Message is not a JSON object"),
            ([INIT], "Message is not a JSON object"),
        ],
    )
    @on_both_loops
    async def test_what_is_no_message_gets_an_error(self, message: Any, text: str) -> None:
        async with connected() as client:
            await client.protocol(message)
            assert client.received == [{"type": "error", "payload": {"message": text}}]

    @on_both_loops
    async def test_a_message_that_is_too_large_closes(self) -> None:
        async with connected() as client:
            await client.protocol(start("x" * 65_536))
            assert client.received == [4400]


def test_cancelling_the_call_of_an_operation_cancels_it() -> None:
    async def main() -> None:
        async with connected((asyncio.CancelledError,)) as client:
            task = asyncio.create_task(client.protocol(START))
            await wait_all_tasks_blocked()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert client.received == [data(1)]
            assert client.happened == ["endless begins", "endless ends"]

    asyncio.run(main())
