"""The protocols over somebody's own socket, under asyncio and under trio."""

import asyncio
import inspect
import json
import logging
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.typing import Subprotocol

from realtime.protocols import GraphQLConnection

INIT = {"type": "connection_init"}
ROOT = Path(__file__).resolve().parents[2]
WORDS = {
    "graphql-ws": ("start", "data", "stop"),
    "graphql-transport-ws": ("subscribe", "next", "complete"),
}

Legacy = partial(GraphQLConnection, subprotocol="graphql-ws")

both_dialects = pytest.mark.parametrize("subprotocol", WORDS)


def on_both_loops(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test, which must end in time, under asyncio and under trio."""

    def run(*instance: Any, backend: str, **arguments: Any) -> None:
        async def in_time() -> None:
            with anyio.fail_after(10):
                await test(*instance, **arguments)

        anyio.run(in_time, backend=backend)

    signature = inspect.signature(test)
    backend = inspect.Parameter("backend", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), backend]
    )
    run.__name__ = test.__name__
    on_both: Callable[..., None] = pytest.mark.parametrize("backend", ["asyncio", "trio"])(run)
    return on_both


def asyncio_is_not_running() -> bool:
    """Tell trio, where whoever awaits in a `finally` must shield it."""
    return anyio.get_cancelled_exc_class() is not asyncio.CancelledError


class Gone(Exception):
    """The socket is."""


class Socket:
    """What was sent and closed; it can be held up, and be gone."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.calls = 0
        self.busy = False
        self.fault: BaseException | None = None
        self._more = anyio.Event()
        self._free = anyio.Event()
        self._free.set()

    async def send(self, message: dict[str, Any]) -> None:
        assert type(message) is dict
        await self._say(message)

    async def close(self, code: int, reason: str) -> None:
        assert type(code) is int
        await self._say((code, reason))

    def hold(self) -> None:
        self._free = anyio.Event()

    def release(self) -> None:
        self._free.set()

    async def heard(self, count: int) -> list[Any]:
        while len(self.said) < count:
            self._more = anyio.Event()
            await self._more.wait()
        return self.said

    async def _say(self, what: Any) -> None:
        self.calls += 1
        assert not self.busy
        self.busy = True
        try:
            await self._free.wait()
            await anyio.lowlevel.checkpoint()
            if self.fault:
                raise self.fault
            self.said.append(what)
            self._more.set()
        finally:
            self.busy = False


class Connection:
    """A protocol with a socket, and streams that tell what happens to them."""

    def __init__(
        self, tasks: Any, subprotocol: str = "graphql-ws", closed: tuple[Any, ...] = (Gone,)
    ) -> None:
        self.socket = Socket()
        self.told: list[str] = []
        self.release = anyio.Event()
        self.protocol = GraphQLConnection(
            self.socket.send, self.socket.close, self.subscribe, closed, subprotocol=subprotocol
        )
        self.tasks = tasks
        self._start, self._data, self._stop = WORDS[subprotocol]

    def receive(self, message: object) -> None:
        self.tasks.start_soon(self.protocol, message)

    def start(self, query: str = "endless", id: str = "1") -> dict[str, Any]:
        return {"id": id, "type": self._start, "payload": {"query": query}}

    def stop(self, id: str = "1") -> dict[str, Any]:
        return {"id": id, "type": self._stop}

    def data(self, value: object, id: str = "1") -> dict[str, Any]:
        return {"id": id, "type": self._data, "payload": {"data": value}}

    async def begun(self, query: str = "endless", id: str = "1") -> None:
        """Start an operation, and wait for its first result."""
        heard = len(self.socket.said)
        self.receive(self.start(query, id))
        await self.socket.heard(heard + 1)

    async def subscribe(
        self, *, query: str, variables: Any, operation_name: Any
    ) -> AsyncGenerator[Any, None]:
        self.told.append(f"{query} begins")
        try:
            if query == "failing":
                raise KeyError("a secret")
            yield {"data": 1}
            if query == "breaking":
                raise KeyError("a secret")
            if query == "gone":
                raise Gone
            if query == "stopping":
                await self.protocol.stop()
            if query == "unwilling":
                try:
                    await anyio.sleep_forever()
                except BaseException:
                    yield {"data": 2}
            if query == "two":
                yield {"data": 2}
            else:
                await anyio.sleep_forever()
        finally:
            if query == "tidy":
                with anyio.CancelScope(shield=asyncio_is_not_running()):
                    await self.release.wait()
            self.told.append(f"{query} ends")


@asynccontextmanager
async def connected(*args: Any, **options: Any) -> AsyncIterator[Connection]:
    async with anyio.create_task_group() as tasks:
        connection = Connection(tasks, *args, **options)
        await connection.protocol(INIT)
        connection.socket.said.clear()
        try:
            yield connection
        finally:
            connection.release.set()
            tasks.cancel_scope.cancel()


def error(subprotocol: str, id: str = "1") -> list[Any]:
    """Return the frames of a fault that is masked."""
    code = {"code": "INTERNAL_SERVER_ERROR"}
    errors = [{"message": "Internal server error", "extensions": code}]
    if subprotocol == "graphql-transport-ws":
        return [{"id": id, "type": "error", "payload": errors}]
    return [
        {"id": id, "type": "data", "payload": {"errors": errors}},
        {"id": id, "type": "complete"},
    ]


async def nothing(**_: Any) -> AsyncIterator[Any]:
    raise AssertionError
    yield


async def quiet(*_: Any) -> None:
    """Send, or close, nothing."""


# What it takes


@on_both_loops
async def test_it_takes_its_four_arguments_by_keyword() -> None:
    socket = Socket()
    protocol = GraphQLConnection(
        send=socket.send, close=socket.close, subscribe=nothing, raised_when_closed=[Gone]
    )
    await protocol(INIT)
    assert socket.said == [{"type": "connection_ack"}]


def test_it_speaks_the_newer_dialect_unless_told_otherwise() -> None:
    assert GraphQLConnection(quiet, quiet, nothing, ()).name == "graphql-transport-ws"
    assert Legacy(quiet, quiet, nothing).name == "graphql-ws"


def test_an_unknown_subprotocol_is_refused_with_those_that_fit() -> None:
    with pytest.raises(ValueError, match=r"'graphql-transport-ws', 'graphql-ws'.*'graphql-sse'"):
        GraphQLConnection(quiet, quiet, nothing, subprotocol="graphql-sse")


@pytest.mark.parametrize("form", [json.dumps(INIT), json.dumps(INIT).encode(), INIT])
@on_both_loops
async def test_a_message_is_text_or_bytes_or_decoded(form: object) -> None:
    socket = Socket()
    await Legacy(socket.send, socket.close, nothing)(form)
    assert socket.said == [{"type": "connection_ack"}]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\xff", "Messages are text, not binary"),
        ([], "Message is not a JSON object"),
        ({"type": "ping", "payload": {"n": float("nan")}}, "Message is not valid JSON"),
        ({"type": "ping", "payload": 1}, "Invalid ping message: payload must be an object or null"),
        ({"type": "ping", "payload": {"n": "x" * 65_536}}, "Message is larger than 65536 bytes"),
    ],
)
@on_both_loops
async def test_whatever_the_form_a_message_is_checked(message: object, reason: str) -> None:
    async with connected("graphql-transport-ws") as connection:
        await connection.protocol(message)
        assert connection.socket.said == [(4400, reason)]


@on_both_loops
async def test_a_decoded_message_of_any_depth_is_answered() -> None:
    message: Any = {}
    for _ in range(100_000):
        message = {"type": message}
    async with connected("graphql-transport-ws") as connection:
        await connection.protocol(message)
        assert connection.socket.said == [(4400, "Message is not valid JSON")]


@on_both_loops
async def test_a_decoded_message_has_the_size_of_its_utf_8() -> None:
    async with connected("graphql-transport-ws") as connection:
        payload = {"n": "é" * 32_000}
        await connection.protocol({"type": "ping", "payload": payload})
        assert connection.socket.said == [{"type": "pong", "payload": payload}]


# Operations


@both_dialects
@on_both_loops
async def test_each_result_is_sent_then_the_end(subprotocol: str) -> None:
    async with connected(subprotocol) as connection:
        await connection.protocol(connection.start("two"))
        assert connection.socket.said == [
            connection.data(1),
            connection.data(2),
            {"id": "1", "type": "complete"},
        ]


@pytest.mark.parametrize(
    ("payload", "given"),
    [
        ({"query": "q"}, {"query": "q", "variables": None, "operation_name": None}),
        (
            {"query": "q", "variables": {"a": 1}, "operationName": "Q"},
            {"query": "q", "variables": {"a": 1}, "operation_name": "Q"},
        ),
    ],
)
@on_both_loops
async def test_subscribe_gets_what_the_client_asks(payload: Any, given: Any) -> None:
    async def subscribe(**arguments: Any) -> AsyncIterator[Any]:
        yield {"data": arguments}

    socket = Socket()
    protocol = Legacy(socket.send, socket.close, subscribe)
    await protocol(INIT)
    await protocol({"id": "1", "type": "start", "payload": payload})
    assert socket.said[1]["payload"] == {"data": given}


class Once:
    """An asynchronous iterator that is no generator."""

    def __init__(self) -> None:
        self.results = [{"data": 1}]

    def __aiter__(self) -> "Once":
        return self

    async def __anext__(self) -> Any:
        if not self.results:
            raise StopAsyncIteration
        return self.results.pop()


async def later(**_: Any) -> Once:
    await anyio.lowlevel.checkpoint()
    return Once()


@pytest.mark.parametrize("subscribe", [lambda **_: Once(), later])
@on_both_loops
async def test_results_may_come_from_any_iterator_at_once_or_later(subscribe: Any) -> None:
    socket = Socket()
    protocol = Legacy(socket.send, socket.close, subscribe)
    await protocol(INIT)
    await protocol({"id": "1", "type": "start", "payload": {"query": ""}})
    assert [message["type"] for message in socket.said] == ["connection_ack", "data", "complete"]


@both_dialects
@on_both_loops
async def test_operations_run_at_the_same_time(subprotocol: str) -> None:
    async with connected(subprotocol) as connection:
        await connection.begun(id="1")
        await connection.begun(id="2")
        assert connection.socket.said == [connection.data(1, "1"), connection.data(1, "2")]


@on_both_loops
async def test_an_id_is_taken_before_its_operation_has_begun() -> None:
    async with connected("graphql-transport-ws") as connection:
        connection.socket.hold()
        connection.receive(connection.start())
        connection.receive(connection.start())
        await wait_all_tasks_blocked()
        connection.socket.release()
        assert (await connection.socket.heard(1))[-1] == (4409, "Subscriber for 1 already exists")


@both_dialects
@on_both_loops
async def test_an_id_can_be_used_again(subprotocol: str) -> None:
    async with connected(subprotocol) as connection:
        for _ in range(2):
            await connection.protocol(connection.start("two"))
        said = connection.socket.said
        assert said == said[:3] * 2


# What a client ends


@both_dialects
@on_both_loops
async def test_ending_reaches_a_stream_that_waits(subprotocol: str) -> None:
    async with connected(subprotocol) as connection:
        await connection.begun()
        await connection.protocol(connection.stop())
        assert connection.told == ["endless begins", "endless ends"]


@on_both_loops
async def test_completion_is_told_after_the_whole_clean_up() -> None:
    async with connected() as connection:
        await connection.begun("tidy")
        connection.receive(connection.stop())
        await wait_all_tasks_blocked()
        assert connection.socket.said == [connection.data(1)]
        connection.release.set()
        assert (await connection.socket.heard(2))[1:] == [{"id": "1", "type": "complete"}]
        assert connection.told == ["tidy begins", "tidy ends"]


@on_both_loops
async def test_the_newer_dialect_does_not_tell_the_client_what_it_ended() -> None:
    async with connected("graphql-transport-ws") as connection:
        await connection.begun()
        await connection.protocol(connection.stop())
        assert connection.socket.said == [connection.data(1)]


@both_dialects
@on_both_loops
async def test_a_stream_that_goes_on_is_not_listened_to(subprotocol: str) -> None:
    async with connected(subprotocol) as connection:
        await connection.begun("unwilling")
        await connection.protocol(connection.stop())
        assert connection.data(2) not in connection.socket.said
        assert connection.told == ["unwilling begins", "unwilling ends"]


@on_both_loops
async def test_a_client_may_end_what_has_not_begun() -> None:
    async with connected() as connection:
        await connection.begun("tidy")
        for message in (connection.start("two"), connection.stop()):
            connection.receive(message)
            await wait_all_tasks_blocked()
        connection.release.set()
        assert (await connection.socket.heard(2))[1:] == [{"id": "1", "type": "complete"}]
        assert connection.told == ["tidy begins", "tidy ends"]


@on_both_loops
async def test_a_result_that_waits_for_the_socket_is_dropped() -> None:
    async with connected() as connection:
        connection.socket.hold()
        connection.receive({"type": "?"})
        connection.receive(connection.start("two"))
        await wait_all_tasks_blocked()
        connection.receive(connection.stop())
        await wait_all_tasks_blocked()
        connection.socket.release()
        await connection.socket.heard(2)
        assert [message["type"] for message in connection.socket.said] == ["error", "complete"]


@on_both_loops
async def test_a_result_that_waits_for_the_socket_is_not_sent_under_a_new_operation() -> None:
    async with connected() as connection:
        connection.socket.hold()
        for message in ({"type": "?"}, connection.start("endless"), connection.start("failing")):
            connection.receive(message)
            await wait_all_tasks_blocked()
        connection.socket.release()
        assert (await connection.socket.heard(3))[1:] == error("graphql-ws")


@on_both_loops
async def test_a_result_that_is_being_sent_is_sent_whole() -> None:
    async with connected() as connection:
        connection.socket.hold()
        connection.receive(connection.start())
        await wait_all_tasks_blocked()
        connection.receive(connection.stop())
        await wait_all_tasks_blocked()
        connection.socket.release()
        assert await connection.socket.heard(2) == [
            connection.data(1),
            {"id": "1", "type": "complete"},
        ]


@on_both_loops
async def test_starting_again_ends_the_old_operation_first() -> None:
    async with connected() as connection:
        await connection.begun("endless")
        await connection.begun("two")
        assert connection.told[:3] == ["endless begins", "endless ends", "two begins"]


@on_both_loops
async def test_an_old_operation_completes_before_the_new_one_of_its_id_speaks() -> None:
    async with connected() as connection:
        await connection.begun("tidy")
        connection.receive(connection.stop())
        await wait_all_tasks_blocked()
        connection.receive(connection.start("two"))
        await wait_all_tasks_blocked()
        connection.release.set()
        completed = {"id": "1", "type": "complete"}
        assert await connection.socket.heard(5) == [
            connection.data(1),
            completed,
            connection.data(1),
            connection.data(2),
            completed,
        ]


@on_both_loops
async def test_an_id_used_again_while_its_end_is_sent_stays_taken() -> None:
    async with connected("graphql-transport-ws") as connection:
        await connection.begun("two")
        await connection.socket.heard(2)
        connection.socket.hold()
        await wait_all_tasks_blocked()  # its `complete` is being sent
        connection.receive(connection.start())
        await wait_all_tasks_blocked()
        connection.socket.release()
        await connection.socket.heard(4)
        await connection.protocol(connection.start())
        assert connection.socket.said[-1] == (4409, "Subscriber for 1 already exists")


# Faults of a stream


@both_dialects
@pytest.mark.parametrize("query", ["failing", "breaking"])
@on_both_loops
async def test_an_exception_is_masked(subprotocol: str, query: str) -> None:
    async with connected(subprotocol) as connection:
        await connection.protocol(connection.start(query))
        frames = error(subprotocol)
        assert connection.socket.said[-len(frames) :] == frames


def unlucky(**_: Any) -> Any:
    raise KeyError("a secret")


async def not_json(**_: Any) -> AsyncIterator[Any]:
    yield {"data": object()}


async def not_a_number(**_: Any) -> AsyncIterator[Any]:
    yield {"data": float("nan")}


class Clinging(Once):
    async def aclose(self) -> None:
        raise KeyError("a secret")


@pytest.mark.parametrize(
    "subscribe",
    [unlucky, lambda **_: None, not_json, not_a_number, lambda **_: Clinging()],
)
@on_both_loops
async def test_whatever_is_wrong_with_a_stream_is_masked(subscribe: Any) -> None:
    socket = Socket()
    protocol = Legacy(socket.send, socket.close, subscribe)
    await protocol(INIT)
    await protocol({"id": "1", "type": "start", "payload": {"query": ""}})
    assert socket.said[-2:] == error("graphql-ws")


@on_both_loops
async def test_an_exception_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async with connected() as connection:
        await connection.protocol(connection.start("breaking"))
    [record] = [entry for entry in caplog.records if entry.name == "realtime.protocols"]
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert isinstance(record.exc_info[1], KeyError)


@both_dialects
@on_both_loops
async def test_an_exception_does_not_touch_other_operations(subprotocol: str) -> None:
    async with connected(subprotocol) as connection:
        await connection.begun("endless", id="2")
        await connection.protocol(connection.start("breaking"))
        assert connection.told == ["endless begins", "breaking begins", "breaking ends"]


@on_both_loops
async def test_an_exception_of_a_stream_does_not_say_that_the_socket_is_gone() -> None:
    async with connected() as connection:
        await connection.protocol(connection.start("gone"))
        assert connection.socket.said[-2:] == error("graphql-ws")


# The socket is gone


@on_both_loops
async def test_when_the_socket_is_gone_the_call_returns() -> None:
    async with connected() as connection:
        connection.socket.fault = Gone()
        await connection.protocol(connection.start())
        assert connection.told == ["endless begins", "endless ends"]


@on_both_loops
async def test_when_the_socket_is_gone_all_operations_end() -> None:
    async with connected() as connection:
        await connection.begun(id="2")
        connection.socket.fault = Gone()
        await connection.protocol(connection.start())
        await wait_all_tasks_blocked()
        assert connection.told.count("endless ends") == 2


@on_both_loops
async def test_when_the_socket_is_gone_nothing_that_waits_for_it_is_sent() -> None:
    async with connected() as connection:
        connection.socket.hold()
        for message in (connection.start("tidy"), connection.start(id="2"), {"type": "?"}):
            connection.receive(message)
            await wait_all_tasks_blocked()
        calls, connection.socket.fault = connection.socket.calls, Gone()
        connection.socket.release()
        await wait_all_tasks_blocked()  # the first, of which the socket was gone, cleans up
        assert connection.socket.calls == calls


@on_both_loops
async def test_closing_a_socket_that_is_gone_is_fine() -> None:
    async with connected() as connection:
        connection.socket.fault = Gone()
        await connection.protocol({"type": "connection_terminate"})


@on_both_loops
async def test_an_unforeseen_exception_of_the_socket_is_raised() -> None:
    async with connected() as connection:
        connection.socket.fault = OSError()
        with pytest.raises(OSError, match=r"^$"):
            await connection.protocol(connection.start())
        assert connection.told == ["endless begins", "endless ends"]


@on_both_loops
async def test_a_cancellation_is_raised_though_it_says_that_the_socket_is_gone() -> None:
    async with connected(closed=(anyio.get_cancelled_exc_class(),)) as connection:
        with anyio.CancelScope() as scope:
            connection.tasks.start_soon(cancel_when, connection, "endless begins", scope)
            await connection.protocol(connection.start())
        assert scope.cancelled_caught


@on_both_loops
async def test_a_cancellation_that_says_so_ends_all_operations() -> None:
    async with connected(closed=(anyio.get_cancelled_exc_class(),)) as connection:
        await connection.begun(id="2")
        with anyio.CancelScope() as scope:
            connection.tasks.start_soon(cancel_when, connection, "endless begins", scope)
            await connection.protocol(connection.start())
        await wait_all_tasks_blocked()
        assert connection.told.count("endless ends") == 2


@on_both_loops
async def test_ending_an_operation_does_not_say_that_the_socket_is_gone() -> None:
    async with connected(closed=(anyio.get_cancelled_exc_class(),)) as connection:
        await connection.begun()
        await connection.protocol(connection.stop())
        assert connection.socket.said[1:] == [{"id": "1", "type": "complete"}]


async def cancel_when(connection: Connection, told: str, scope: anyio.CancelScope) -> None:
    await wait_all_tasks_blocked()
    assert told in connection.told
    scope.cancel()


# The protocol closes


@both_dialects
@on_both_loops
async def test_a_close_ends_operations_first_and_comes_once(subprotocol: str) -> None:
    async with connected(subprotocol) as connection:
        await connection.begun()
        close = connection.socket.close

        async def closing(code: int, reason: str) -> None:
            connection.told.append("close")
            await close(code, reason)

        connection.protocol._close = closing
        for _ in range(2):
            await connection.protocol(INIT)
        assert connection.told == ["endless begins", "endless ends", "close"]
        assert connection.socket.said[1:] == [(4429, "Too many initialisation requests")]


@on_both_loops
async def test_a_close_comes_though_cancellations_say_that_the_socket_is_gone() -> None:
    closed = (anyio.get_cancelled_exc_class(),)
    async with connected("graphql-transport-ws", closed) as connection:
        connection.socket.hold()
        connection.receive(connection.start())
        await wait_all_tasks_blocked()
        connection.receive("nonsense")
        await wait_all_tasks_blocked()
        connection.socket.release()
        assert await connection.socket.heard(1) == [(4400, "Message is not valid JSON")]


@on_both_loops
async def test_a_close_waits_for_what_is_being_sent() -> None:
    async with connected("graphql-transport-ws") as connection:
        connection.socket.hold()
        connection.receive({"type": "ping"})
        await wait_all_tasks_blocked()
        connection.receive("nonsense")
        await wait_all_tasks_blocked()
        connection.socket.release()
        assert await connection.socket.heard(2) == [
            {"type": "pong"},
            (4400, "Message is not valid JSON"),
        ]


# What the owner ends


@both_dialects
@on_both_loops
async def test_stop_waits_for_every_clean_up_and_sends_nothing(subprotocol: str) -> None:
    async with connected(subprotocol) as connection:
        await connection.begun("tidy", id="1")
        await connection.begun("endless", id="2")
        connection.socket.said.clear()
        connection.tasks.start_soon(connection.protocol.stop)
        await wait_all_tasks_blocked()
        assert connection.told[2:] == ["endless ends"]
        connection.release.set()
        await connection.protocol.stop()
        assert connection.told[2:] == ["endless ends", "tidy ends"]
        assert connection.socket.said == []


@on_both_loops
async def test_nothing_is_received_after_stop() -> None:
    async with connected() as connection:
        for _ in range(2):
            await connection.protocol.stop()
        await connection.protocol(connection.start())
        await connection.protocol("nonsense")
        assert connection.socket.said == []
        assert connection.told == []


@on_both_loops
async def test_stop_ends_what_is_stuck_in_sending() -> None:
    async with connected() as connection:
        connection.socket.hold()
        connection.receive(connection.start())
        await wait_all_tasks_blocked()
        await connection.protocol.stop()
        assert connection.told == ["endless begins", "endless ends"]


@on_both_loops
async def test_stop_does_not_wait_for_the_socket() -> None:
    async with connected() as connection:
        await connection.begun()
        connection.socket.hold()
        connection.receive({"type": "?"})
        await wait_all_tasks_blocked()
        await connection.protocol.stop()
        assert connection.told == ["endless begins", "endless ends"]


@on_both_loops
async def test_stop_waits_even_when_it_is_cancelled() -> None:
    async def release() -> None:
        await wait_all_tasks_blocked()
        connection.release.set()

    async with connected() as connection:
        await connection.begun("tidy")
        connection.tasks.start_soon(release)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await connection.protocol.stop()
        assert connection.told == ["tidy begins", "tidy ends"]


@on_both_loops
async def test_a_stream_may_stop_its_own_protocol() -> None:
    async with connected() as connection:
        await connection.protocol(connection.start("stopping"))
        assert connection.told == ["stopping begins", "stopping ends"]


@both_dialects
@on_both_loops
async def test_cancelling_a_call_closes_its_stream_and_frees_its_id(subprotocol: str) -> None:
    async with connected(subprotocol) as connection:
        with anyio.CancelScope() as scope:
            connection.tasks.start_soon(cancel_when, connection, "endless begins", scope)
            await connection.protocol(connection.start())
        assert connection.told == ["endless begins", "endless ends"]
        await connection.begun("two")
        assert connection.socket.said[-1] == connection.data(1)


def test_an_asyncio_task_that_is_cancelled_is_cancelled() -> None:
    async def main() -> None:
        async with connected(closed=(asyncio.CancelledError,)) as connection:
            task = asyncio.create_task(connection.protocol(connection.start("tidy")))
            await connection.socket.heard(1)
            task.cancel()
            connection.release.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert connection.told == ["tidy begins", "tidy ends"]

    asyncio.run(main())


def test_an_asyncio_task_that_is_cancelled_while_it_is_stopped_is_cancelled() -> None:
    async def main() -> None:
        async with connected() as connection:
            task = asyncio.create_task(connection.protocol(connection.start()))
            await connection.socket.heard(1)
            task.cancel()
            await connection.protocol.stop()
            await asyncio.wait([task])
            assert task.cancelled()

    asyncio.run(main())


@on_both_loops
async def test_a_stream_that_is_not_being_read_is_closed_whole() -> None:
    told = []

    async def subscribe(**_: Any) -> AsyncIterator[Any]:
        try:
            yield {}
        finally:
            await anyio.lowlevel.checkpoint()
            told.append("ends")

    socket = Socket()
    protocol = Legacy(socket.send, socket.close, subscribe)
    await protocol(INIT)
    socket.hold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(protocol, {"id": "1", "type": "start", "payload": {"query": ""}})
        await wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert told == ["ends"]


# What it is made of


def test_the_state_machines_are_the_standard_library_alone() -> None:
    script = """
import sys
from realtime.protocols import DIALECTS
for dialect in DIALECTS:
    dialect().receive('{"type": "connection_init"}')
third = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
print(*sorted(name for name in third if not name.startswith("_")))
"""
    ran = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert ran.stdout.split() == ["realtime"]


async def test_the_example_of_the_documentation_runs() -> None:
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/protocols.md").read_text(), re.DOTALL)
    assert code
    subprotocols = [Subprotocol("graphql-transport-ws")]
    example: dict[str, Any] = {"__name__": "example"}
    exec(code[1], example)
    async with serve(example["handler"], "127.0.0.1", 0, subprotocols=subprotocols) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", subprotocols=subprotocols) as client:
            await client.send(json.dumps(INIT))
            payload = {"query": "", "variables": {"to": 2}}
            await client.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            said = [json.loads(await client.recv()) for _ in range(4)]
    assert [message.get("payload") for message in said] == [
        None,
        {"data": {"count": 1}},
        {"data": {"count": 2}},
        None,
    ]
