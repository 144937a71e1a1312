"""One WebSocket: its protocol, its operations, its timer."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing, suppress
from inspect import isawaitable
from typing import Any

from ariadne.asgi.handlers import GraphQLWebsocketHandlerBase
from ariadne.exceptions import WebSocketConnectionError
from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from realtime.conf import get_settings
from realtime.execution import RequestError, encoded, fault, results
from realtime.protocols.close_codes import Close
from realtime.protocols.events import Complete, ConnectionInit, Event, Frame, OperationId, Subscribe
from realtime.protocols.server import ServerProtocol


class Connection:
    """Serves one accepted WebSocket until it ends; then all that it started has ended."""

    def __init__(
        self,
        handler: GraphQLWebsocketHandlerBase,
        websocket: WebSocket,
        protocol: ServerProtocol,
    ) -> None:
        self._handler = handler
        self._websocket = websocket
        self._protocol = protocol
        self._operations: dict[OperationId, asyncio.Task[None]] = {}
        self._heard = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Receive until the peer or the protocol closes the connection."""
        self._spawn(self._time_init(), "init-timeout")
        if get_settings().keep_alive_interval:
            self._spawn(self._beat(), "heartbeat")
        try:
            while True:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    break
                self._heard.set()
                data = message.get("text")
                await self._act(self._protocol.receive(message["bytes"] if data is None else data))
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._handler.on_disconnect:
                await _called(self._handler.on_disconnect(self._websocket))

    async def _act(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case Frame(text=text):
                    await self._send({"type": "websocket.send", "text": text})
                case Close(code, reason):
                    for task in self._operations.values():
                        task.cancel()
                    close = {"type": "websocket.close", "code": int(code), "reason": reason}
                    await self._send(close)
                case ConnectionInit(payload=payload):
                    self._spawn(self._judge(payload), "init")
                case Subscribe(id=id, payload=payload):
                    self._operations[id] = self._spawn(
                        self._operate(id, dict(payload)), f"operation {id!s:.60}"
                    )
                case Complete(id=id):
                    self._operations.pop(id).cancel()

    async def _send(self, message: dict[str, Any]) -> None:
        if self._websocket.application_state is WebSocketState.CONNECTED:
            # The peer is going; `receive` will say so. Servers raise RuntimeErrors, too.
            with suppress(WebSocketDisconnect, RuntimeError):
                await self._websocket.send(message)

    async def _time_init(self) -> None:
        await asyncio.sleep(get_settings().connection_init_timeout)
        await self._act(self._protocol.init_timed_out())

    async def _beat(self) -> None:
        settings = get_settings()
        while True:
            await asyncio.sleep(settings.keep_alive_interval)
            self._heard.clear()
            await self._act(self._protocol.heartbeat())
            if self._protocol.ANSWERS_HEARTBEAT:
                try:
                    async with asyncio.timeout(settings.pong_timeout):
                        await self._heard.wait()
                except TimeoutError:
                    await self._act(self._protocol.peer_silent())

    async def _judge(self, payload: Any) -> None:
        answer = None
        if self._handler.on_connect:
            try:
                answer = await _called(self._handler.on_connect(self._websocket, payload))
            except GraphQLError as error:
                await self._act(self._protocol.refuse(error.message))
                return
            except WebSocketConnectionError as error:
                reason = error.payload.get("message", "Forbidden")
                await self._act(self._protocol.refuse(str(reason)))
                return
            except Exception as error:
                self._handler.error_formatter(fault(error), self._handler.debug)  # logs it
                await self._act(self._protocol.fail())
                return
        await self._act(self._protocol.accept(answer if isinstance(answer, dict) else None))

    async def _operate(self, id: OperationId, payload: dict[str, Any]) -> None:
        try:
            async with aclosing(results(self._handler, self._websocket, payload)) as stream:
                async for result in stream:
                    await self._act(self._protocol.next(id, _json(result)))
        except RequestError as error:
            await self._end(id, self._protocol.error(id, _json(error.errors)))
        except Exception as error:
            errors = [self._handler.error_formatter(fault(error), self._handler.debug)]
            await self._end(id, self._protocol.error(id, _json(errors)))
        else:
            await self._end(id, self._protocol.complete(id))

    async def _end(self, id: OperationId, events: list[Event]) -> None:
        # The id is free from here on: a new operation may take it while this frame is sent.
        if self._operations.get(id) is asyncio.current_task():
            del self._operations[id]
        await self._act(events)

    def _spawn(self, coroutine: Any, name: str) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _called(value: Any) -> Any:
    return await value if isawaitable(value) else value


def _json(value: Any) -> str:
    return encoded(value).decode()
