"""One WebSocket: its protocol, its operations, its timers."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from copy import copy
from functools import partial
from inspect import isawaitable
from typing import Any

from anyio import CancelScope
from ariadne.asgi.handlers.base import GraphQLWebsocketHandlerBase
from ariadne.exceptions import WebSocketConnectionError
from ariadne.types import Operation
from graphql import GraphQLError
from starlette.websockets import WebSocket

from realtime import draining, tasks
from realtime.allowance import LARGE
from realtime.conf import get_settings
from realtime.encoding import encoded_text
from realtime.errors import RequestError, fault, is_outage, reported
from realtime.exceptions import RateLimitedError, TooManyConnectionsError
from realtime.execution import Results, begin
from realtime.live_results import LiveResults
from realtime.open_operations import OpenOperations, Room
from realtime.outbox import Outbox
from realtime.protocols.close_codes import Close
from realtime.protocols.events import (
    Complete,
    ConnectionInit,
    Event,
    Frame,
    OperationId,
    Subscribe,
)
from realtime.protocols.server import ServerProtocol
from realtime.rates import count_operation, in_turn
from realtime.rounds import Rounds
from realtime.sessions import LOG_IN_AGAIN, token_in
from realtime.stream import Stream
from realtime.viewer import viewer_of

FAREWELL = 1.0
"""Seconds that what runs has to end, when nobody may see it any more."""


class Connection:
    """Serves one accepted WebSocket until it ends; then all that it started has ended.

    With `strict_ordering` an operation begins when the one before it has its result or,
    a subscription, is live. The context of the first operation is that of all.
    """

    def __init__(
        self,
        handler: GraphQLWebsocketHandlerBase,
        websocket: WebSocket,
        protocol: ServerProtocol,
        *,
        strict_ordering: bool = False,
    ) -> None:
        self._handler = handler
        self._websocket = websocket
        self._outbox = Outbox(websocket)
        self._protocol = protocol
        self._turn: AbstractAsyncContextManager[None] = (
            asyncio.Lock() if strict_ordering else nullcontext()
        )
        self._context: Any = None
        self._making_context = asyncio.Lock()
        self._operations: dict[OperationId, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._executing: set[asyncio.Task[None]] = set()
        """The operations that have no result yet, and are not live."""
        self._completing: set[asyncio.Task[None]] = set()
        """The operations whose `on_complete` runs: it is not cancelled at once."""
        self._open_operations = OpenOperations(get_settings().max_operations)
        self._room = Room()
        self._is_unread = False
        """Whether the socket is not read, so that the client cannot answer."""
        self._is_asked = False
        """Whether the client has sent nothing since it was asked whether it is there."""
        self._receiving = CancelScope()
        self._viewer = viewer_of(websocket)

    async def serve(self) -> None:
        """Receive until the peer or the protocol closes the connection."""
        _open.add(self)
        if self._viewer is not None:
            self._viewer.on_gone = self._viewer_is_gone
        try:
            if draining.is_draining():
                await self._act(self._protocol.restart())
                return
            settings = get_settings()
            _inits.join(self, settings.connection_init_timeout)
            if settings.keep_alive_interval:
                _beats.join(self, settings.keep_alive_interval)
            with self._receiving:
                await self._receive()
        finally:
            _open.discard(self)
            if self._viewer is not None:
                self._viewer.on_gone = None  # which leads back here
            for rounds in (_inits, _beats, _verdicts):
                rounds.leave(self)
            try:
                await tasks.turn()  # thousands may leave at once
                if self._completing:
                    await asyncio.wait(self._completing, timeout=tasks.PATIENCE)
            finally:
                try:
                    await tasks.end(self._tasks)
                finally:
                    self._operations.clear()
                    await self._tell(self._handler.on_disconnect)

    async def drain(self, *, after: float, patience: float) -> None:
        """Close for a restart after so many seconds, when queries and mutations have results.

        Those that have none in `patience` seconds more are cut off.
        """
        await asyncio.sleep(after)
        if self._executing:
            await asyncio.wait(self._executing, timeout=patience)
        await self._act(self._protocol.restart())

    async def _receive(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if self._is_asked:
                self._has_answered()
            await self._without_reading(in_turn(self._websocket.scope))
            data = message.get("text")
            await self._act(self._protocol.receive(message["bytes"] if data is None else data))
            if self._protocol.is_full:
                await self._without_reading(self._room.wait())

    async def _without_reading(self, waiting: Awaitable[None]) -> None:
        """Await something while the socket is not read: a ping cannot be answered meanwhile."""
        self._is_unread = True
        try:
            await waiting
        finally:
            self._is_unread = False
            if self._is_asked:
                _verdicts.leave(self)
                _verdicts.join(self, get_settings().pong_timeout)

    async def _act(self, events: Sequence[Event]) -> None:
        if not self._protocol.is_full:
            self._room.free()
        # Frames last: while they are sent, the client may already stop what is begun here.
        for event in events:
            match event:
                case ConnectionInit(payload=payload):
                    self._spawn(self._judge(payload), "init")
                case Subscribe(id=id, payload=payload):
                    task = self._spawn(self._operate(id, dict(payload)), f"operation {id!s:.60}")
                    self._operations[id] = task
                    self._executing.add(task)
                    task.add_done_callback(self._executing.discard)
                case Complete(id=id):
                    self._cancel(self._operations.pop(id))
        for event in events:
            match event:
                case Frame(text=text):
                    await self._outbox.send(text)
                case Close():
                    await self._close(event)

    async def _close(self, close: Close) -> None:
        for task in self._operations.values():
            self._cancel(task)
        self._operations.clear()  # a task that was cancelled holds on to what it held
        await self._outbox.close(close)
        self._receiving.cancel()

    def _cancel(self, operation: asyncio.Task[None]) -> None:
        self._open_operations.end(operation)
        if operation not in self._completing:
            operation.cancel()

    def _viewer_is_gone(self) -> None:
        self._spawn(self._forbid(), "forbid")

    async def _forbid(self) -> None:
        """Close, when operations have said to the client that they end, or have their result."""
        if running := {*self._operations.values()}:
            await asyncio.wait(running, timeout=FAREWELL)
        await self._act(self._protocol.forbid("Your session is over"))

    def _init_is_due(self) -> None:
        if events := self._protocol.init_timed_out():
            self._spawn(self._act(events), "init-timeout")

    def _beat(self) -> None:
        """Ask whether the client is there; whatever it sends in time is an answer."""
        match self._protocol.heartbeat():
            case [Frame(text=text)] if not self._outbox.post(text):
                self._spawn(self._beat_slowly(text), "heartbeat")
            case _:
                self._await_answer()

    async def _beat_slowly(self, text: str) -> None:
        self._outbox.is_read()
        while not await tasks.in_time(self._outbox.send(text), get_settings().pong_timeout):
            if not self._outbox.is_read():
                await self._act(self._protocol.peer_stalled())  # sending waits for readers
                return
        self._await_answer()

    def _await_answer(self) -> None:
        if self not in _open:
            return  # it has ended meanwhile
        if self._protocol.ANSWERS_HEARTBEAT:
            self._is_asked = True
            self._outbox.is_read()
            _verdicts.join(self, get_settings().pong_timeout)
        else:
            _beats.join(self, get_settings().keep_alive_interval)

    def _has_answered(self) -> None:
        self._is_asked = False
        _verdicts.leave(self)
        _beats.join(self, get_settings().keep_alive_interval)

    def _answer_is_due(self) -> None:
        # Who does not read does not see the ping, either, if only that was still taken.
        stalled = self._outbox.is_stalled
        if (self._is_unread and not stalled) or self._outbox.is_read():
            _verdicts.join(self, get_settings().pong_timeout)
            return
        events = self._protocol.peer_stalled() if stalled else self._protocol.peer_silent()
        self._spawn(self._act(events), "heartbeat")

    def _stalls(self) -> None:
        """Close: the clients of this process have left too much unread, and this one most."""
        self._spawn(self._act(self._protocol.peer_stalled()), "unread")

    async def _judge(self, payload: Any) -> None:
        try:
            events = await self._judgement(payload)
        except Exception as error:
            reported(self._handler, [fault(error)])
            end = self._protocol.unavailable if is_outage(error) else self._protocol.fail
            events = end()
        await self._act(events)

    async def _judgement(self, payload: Any) -> Sequence[Event]:
        """Return the answer to `connection_init`."""
        refusal = await self._fault_of_credentials(payload)
        if refusal is not None:
            return self._protocol.refuse(refusal)
        if not self._handler.on_connect:
            return self._protocol.accept()
        try:
            answer = await _called(self._handler.on_connect(self._websocket, payload))
        except GraphQLError as error:
            return self._protocol.refuse(error.message, dict(error.formatted))
        except WebSocketConnectionError as error:
            reason = str(error.payload.get("message", "Forbidden"))
            return self._protocol.refuse(reason, error.payload)
        return self._protocol.accept(answer if isinstance(answer, dict) else None)

    async def _fault_of_credentials(self, payload: Any) -> str | None:
        """Have the viewer be whom `connection_init` says; return what is wrong with that."""
        if self._viewer is None:
            return None
        token = token_in(payload)
        try:
            if token is not None and not await self._viewer.identify(token):
                return LOG_IN_AGAIN
            self._viewer.let_in()
        except (RateLimitedError, TooManyConnectionsError) as error:
            return error.message
        return None

    async def _operate(self, id: OperationId, payload: dict[str, Any]) -> None:
        http_handler = self._handler.http_handler
        assert http_handler is not None, "Ariadne's GraphQL configures the handler"
        try:
            count_operation(self._websocket.scope)
            async with self._open_operations:
                async with self._turn:
                    context = await self._get_context(payload)
                    results = await begin(
                        http_handler, self._websocket, payload, context, abort=self._stalls
                    )
                    if not isinstance(results, Stream):
                        await self._deliver(id, payload, results)
                if isinstance(results, Stream):
                    self._executing -= {asyncio.current_task()}
                    self._open_operations.become_live()
                    await self._deliver(id, payload, results)
        except RequestError as error:
            if error.is_outage:
                # Clients take an `error` as the last word of an operation, but connect again.
                await self._end(id, self._protocol.unavailable)
            else:
                await self._end(id, partial(self._protocol.error, id, encoded_text(error.errors)))
        except Exception as error:
            errors = reported(self._handler, [fault(error)])
            await self._end(id, partial(self._protocol.error, id, encoded_text(errors)))
        else:
            await self._end(id, partial(self._protocol.complete, id))

    async def _deliver(self, id: OperationId, payload: dict[str, Any], results: Results) -> None:
        async with aclosing(results):
            operation = Operation(str(id), payload.get("operationName"), results)  # type: ignore[arg-type]  # has all that is used of a generator
            try:
                await self._tell(self._handler.on_operation, operation)
                if isinstance(results, LiveResults):
                    results.pass_to(self._outbox.outlet(*self._protocol.envelope(id)))
                async for result in results:
                    if not self._owns(id):
                        return  # it was to end, and has taken its cancellation for something else
                    is_large = len(result) > LARGE
                    for frame in self._protocol.next(id, result):
                        await self._outbox.send(frame.text)
                    if is_large:
                        del result, frame  # which are not kept while the client reads
                        await self._outbox.taken()
            finally:
                if self._handler.on_complete is not None:
                    await self._complete(operation)

    async def _complete(self, operation: Operation) -> None:
        task: Any = asyncio.current_task()
        self._completing.add(task)
        try:
            await self._tell(self._handler.on_complete, operation)
        finally:
            self._completing.discard(task)

    async def _end(self, id: OperationId, end: Callable[[], Sequence[Event]]) -> None:
        if self._owns(id):
            # The id is free from here on: a new operation may take it while this is sent.
            del self._operations[id]
            await self._act(end())

    def _owns(self, id: OperationId) -> bool:
        """Tell whether the id is the running task's; it may have been stopped, and used again."""
        return self._operations.get(id) is asyncio.current_task()

    async def _get_context(self, payload: dict[str, Any]) -> Any:
        async with self._making_context:
            if self._context is None:
                context = await self._handler.get_context_for_request(self._websocket, payload)
                if context is self._handler.context_value:
                    context = copy(context)  # what one connection puts into it is not for others
                self._context = context
        return self._context

    async def _tell(self, hook: Callable[..., Any] | None, *args: Any) -> None:
        """Call a hook that can change nothing; its faults are only logged."""
        if hook is not None:
            try:
                await _called(hook(self._websocket, *args))
            except Exception as error:
                reported(self._handler, [fault(error)])

    def _spawn(self, coroutine: Any, name: str) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


_inits = Rounds(Connection._init_is_due)
_beats = Rounds(Connection._beat, pause=0.005)  # else the answers of thousands come at once
_verdicts = Rounds(Connection._answer_is_due)

_open: set[Connection] = set()


def open_connections() -> int:
    """Count the connections that this process serves."""
    return len(_open)


async def drain_connections(*, seconds: float) -> None:
    """Close all connections of the process for a restart, at times spread over the seconds."""
    async with asyncio.TaskGroup() as closing:
        for connection in _open:
            after = random.uniform(0, seconds)  # noqa: S311  (spread, not secret)
            closing.create_task(connection.drain(after=after, patience=seconds))


async def _called(value: Any) -> Any:
    return await value if isawaitable(value) else value
