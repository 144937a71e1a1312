"""The handler's hooks, and the context of a connection."""

import asyncio
from typing import Any

import pytest
from ariadne.asgi import GraphQL
from ariadne.types import Operation
from starlette.websockets import WebSocketState

from realtime.errors import muted, report_error
from realtime.testing import GraphQLClient, OperationError
from realtime.transports.websocket import WebSocketHandler
from tests.realtime.stranger import Stranger


def application(stranger: Stranger, *, context_value: Any = None, **hooks: Any) -> GraphQL:
    return GraphQL(
        stranger.schema,
        context_value=context_value,
        error_formatter=report_error,
        logger=muted,
        websocket_handler=WebSocketHandler(**hooks),
    )


class Witness:
    """Hooks, and which of them were called, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.completed = asyncio.Event()

    def on_operation(self, websocket: Any, operation: Operation) -> None:
        assert hasattr(operation.generator, "aclose")
        self.calls.append(("operation", (operation.id, operation.name)))

    async def on_complete(self, websocket: Any, operation: Operation) -> None:
        await asyncio.sleep(0)
        self.calls.append(("complete", (operation.id, operation.name)))
        self.completed.set()

    def on_disconnect(self, websocket: Any) -> None:
        self.calls.append(("disconnect", websocket.url.path))

    def client(self, stranger: Stranger, subprotocol: str) -> GraphQLClient:
        app = application(
            stranger,
            on_operation=self.on_operation,
            on_complete=self.on_complete,
            on_disconnect=self.on_disconnect,
        )
        return GraphQLClient(app, subprotocol=subprotocol)


@pytest.fixture
async def witness() -> Witness:
    return Witness()


class TestHooks:
    async def test_a_query_has_them_once(
        self, witness: Witness, stranger: Stranger, subprotocol: str
    ) -> None:
        async with witness.client(stranger, subprotocol) as client:
            await client.query("query A { quick }", operation_name="A")
        assert witness.calls == [
            ("operation", ("1", "A")),
            ("complete", ("1", "A")),
            ("disconnect", "/graphql/"),
        ]

    async def test_they_frame_the_results_of_a_subscription(
        self, witness: Witness, stranger: Stranger, subprotocol: str
    ) -> None:
        async with witness.client(stranger, subprotocol) as client:
            subscription = await client.subscribe("subscription { three }", confirm=False)
            await subscription.receive()
            assert witness.calls[0] == ("operation", ("1", None))
            assert [result async for result in subscription] == [{"three": 2}, {"three": 3}]
            assert witness.calls == [("operation", ("1", None)), ("complete", ("1", None))]

    @pytest.mark.parametrize("end", ["stop", "cut off", "leave", "bad message"])
    async def test_however_a_subscription_ends_it_is_complete_before_the_disconnect(
        self, end: str, witness: Witness, stranger: Stranger, subprotocol: str
    ) -> None:
        async with witness.client(stranger, subprotocol) as client:
            subscription = await client.subscribe("subscription { endless }")
            match end:
                case "stop":
                    await subscription.stop()
                    await witness.completed.wait()
                case "cut off":
                    await client.cut_off()
                case "bad message":
                    await client.send(b"binary")
        assert [name for name, _ in witness.calls] == ["operation", "complete", "disconnect"]

    async def test_a_stream_that_breaks_is_complete(
        self, witness: Witness, stranger: Stranger, subprotocol: str
    ) -> None:
        async with witness.client(stranger, subprotocol) as client:
            subscription = await client.subscribe("subscription { forbidden }")
            with pytest.raises(OperationError):
                await subscription.receive()
            assert [name for name, _ in witness.calls] == ["operation", "complete"]

    async def test_what_cannot_begin_has_none(
        self, witness: Witness, stranger: Stranger, subprotocol: str
    ) -> None:
        async with witness.client(stranger, subprotocol) as client:
            with pytest.raises(OperationError):
                await client.query("{ unknown }")
        assert witness.calls == [("disconnect", "/graphql/")]

    async def test_completing_is_not_cut_short_by_the_end_of_the_connection(
        self, stranger: Stranger, subprotocol: str
    ) -> None:
        begun, completed = asyncio.Event(), asyncio.Event()

        async def on_complete(websocket: Any, operation: Operation) -> None:
            begun.set()
            while websocket.client_state is not WebSocketState.DISCONNECTED:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            completed.set()

        app = application(stranger, on_complete=on_complete)
        async with GraphQLClient(app, subprotocol=subprotocol) as client:
            subscription = await client.subscribe("subscription { endless }")
            await subscription.stop()
            await begun.wait()
        assert completed.is_set()

    @pytest.mark.parametrize("end", ["stop", "leave"])
    async def test_on_operation_that_is_cancelled_is_followed_by_on_complete(
        self, end: str, stranger: Stranger, subprotocol: str
    ) -> None:
        begun, completed = asyncio.Event(), asyncio.Event()

        async def on_operation(websocket: Any, operation: Operation) -> None:
            begun.set()
            await asyncio.Event().wait()

        def on_complete(websocket: Any, operation: Operation) -> None:
            completed.set()

        app = application(stranger, on_operation=on_operation, on_complete=on_complete)
        async with GraphQLClient(app, subprotocol=subprotocol) as client:
            subscription = await client.subscribe("subscription { endless }", confirm=False)
            await begun.wait()
            if end == "stop":
                await subscription.stop()
                await asyncio.wait_for(completed.wait(), 5)
        assert completed.is_set()

    async def test_on_complete_that_has_begun_is_not_cancelled_by_a_stop(
        self, stranger: Stranger, subprotocol: str
    ) -> None:
        goes_on, completed = asyncio.Event(), asyncio.Event()

        async def on_complete(websocket: Any, operation: Operation) -> None:
            if operation.name == "First":
                await goes_on.wait()
                completed.set()

        app = application(stranger, on_complete=on_complete)
        async with GraphQLClient(app, subprotocol=subprotocol) as client:
            first = await client.subscribe(
                "query First { quick }", operation_name="First", confirm=False
            )
            assert await first.receive() == {"quick": "done"}
            await first.stop()
            await client.query("{ quick }")  # the stop was received before this
            goes_on.set()
            await asyncio.wait_for(completed.wait(), 5)

    async def test_on_complete_that_has_begun_is_not_cancelled_by_a_disconnect(
        self, stranger: Stranger, subprotocol: str
    ) -> None:
        begun, completed = asyncio.Event(), asyncio.Event()

        async def on_complete(websocket: Any, operation: Operation) -> None:
            begun.set()
            while websocket.client_state is not WebSocketState.DISCONNECTED:
                await asyncio.sleep(0)
            for _ in range(10):
                await asyncio.sleep(0)
            completed.set()

        app = application(stranger, on_complete=on_complete)
        async with GraphQLClient(app, subprotocol=subprotocol) as client:
            await client.subscribe("{ quick }", confirm=False)
            await begun.wait()
        assert completed.is_set()

    async def test_on_disconnect_is_called_though_the_server_cancels_twice(
        self, stranger: Stranger
    ) -> None:
        serving: list[Any] = []
        completing, disconnected = asyncio.Event(), asyncio.Event()

        async def on_complete(*_: Any) -> None:
            completing.set()
            await asyncio.sleep(0)

        async def on_disconnect(websocket: Any) -> None:
            disconnected.set()

        app = application(stranger, on_complete=on_complete, on_disconnect=on_disconnect)

        async def observed(*args: Any) -> None:
            serving.append(asyncio.current_task())
            await app(*args)

        client = GraphQLClient(observed)
        await client.connect()
        await client.subscribe("subscription { endless }")
        serving[0].cancel()
        await completing.wait()
        serving[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await client.leave()
        assert disconnected.is_set()

    async def test_their_faults_are_logged_and_change_nothing(
        self, stranger: Stranger, subprotocol: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        def hook(name: str) -> Any:
            async def broken(*_: Any) -> None:
                raise KeyError(name)

            return broken

        names = ("on_operation", "on_complete", "on_disconnect")
        app = application(stranger, **{name: hook(name) for name in names})
        async with GraphQLClient(app, subprotocol=subprotocol) as client:
            assert await client.query("{ quick }") == {"quick": "done"}
            subscription = await client.subscribe("subscription { three }")
            assert [result["three"] async for result in subscription] == [1, 2, 3]
        logged = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
        operation = ["'on_operation'", "'on_complete'"]
        assert logged == [*operation, *operation, "'on_disconnect'"]


class TestContext:
    @pytest.mark.parametrize(
        "context_value",
        [None, {"shared": True}, lambda request, data: {"request": request}],
        ids=["none", "dict", "callable"],
    )
    async def test_changes_last_as_long_as_the_connection_and_reach_no_other(
        self, context_value: Any, stranger: Stranger, subprotocol: str
    ) -> None:
        app = application(stranger, context_value=context_value)
        remember = '{ remember(word: "thread") }'
        async with (
            GraphQLClient(app, subprotocol=subprotocol) as one,
            GraphQLClient(app, subprotocol=subprotocol) as two,
        ):
            assert await one.query(remember) == {"remember": ["thread"]}
            assert await one.query("{ remember }") == {"remember": ["thread"]}
            subscription = await one.subscribe("subscription { remembered }")
            assert await subscription.receive() == {"remembered": ["thread"]}
            assert await two.query("{ remember }") == {"remember": []}
            await one.cut_off()
            await one.connect()
            assert await one.query("{ remember }") == {"remember": []}

    async def test_it_is_made_once(self, stranger: Stranger) -> None:
        made: list[Any] = []

        async def context_value(request: Any, data: Any) -> Any:
            made.append(data)
            await asyncio.sleep(0)
            return {}

        async with GraphQLClient(application(stranger, context_value=context_value)) as client:
            await asyncio.gather(*(client.query("{ remember }") for _ in range(5)))
        assert len(made) == 1
