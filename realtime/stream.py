"""The results of a subscription, as the JSON texts that go to its client."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Awaitable, Hashable
from typing import Any, Protocol, Self
from weakref import WeakValueDictionary

from ariadne.asgi.handlers.base import GraphQLHandlerBase
from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    FieldNode,
    GraphQLError,
    VariableNode,
    Visitor,
    execute_subscription_event,
    map_source_to_response_event,
    visit,
)

from realtime import sharing, tasks
from realtime.delivery import DisownedError, Shared
from realtime.eager import Unfinished
from realtime.encoding import encoded, encoded_text
from realtime.errors import RequestError, fault, is_outage, reported
from realtime.exceptions import LoadError
from realtime.live_stream import LiveStream
from realtime.viewer import Viewer


class Sink(Protocol):
    """Where the results of one operation go."""

    def send(self, result: str) -> Unfinished | None:
        """Send a result; return what is to be awaited before the next, if anything is."""


class Stream(ABC):
    """The results of a subscription, as JSON. Its owner ends it with `aclose()`.

    With `confirm` the first one says that the subscription is live. Raises RequestError
    where the source breaks.
    """

    __slots__ = ("_confirm", "_handler", "_reader", "_refusal", "_viewer")

    def __init__(self, handler: GraphQLHandlerBase, *, confirm: bool) -> None:
        self._handler = handler
        self._confirm = confirm
        self._viewer: Viewer | None = None
        self._reader: asyncio.Task[Any] | None = None
        """Who waits for the next result."""
        self._refusal: GraphQLError | None = None
        """Why there is none any more."""

    @property
    def cursor(self) -> str | None:
        """Where the client stands: behind the result that came last; None without cursors."""
        return None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        if self._refusal is not None:
            raise RequestError(reported(self._handler, [self._refusal]))
        self._reader = asyncio.current_task()  # no variable: what cancels it would hold it by that
        try:
            result = await self._following()
            if self._refusal is None:
                return result
            self._is_cancelled_otherwise()  # what was awaited has taken it for its own
        except asyncio.CancelledError:
            if self._refusal is None or self._is_cancelled_otherwise():
                raise
        except GraphQLError as error:
            errors = reported(self._handler, [error])
            raise RequestError(errors, is_fault=isinstance(error, LoadError)) from None
        except StopAsyncIteration:
            raise
        except Exception as error:
            errors = reported(self._handler, [fault(error)])
            raise RequestError(errors, is_fault=True, is_outage=is_outage(error)) from None
        finally:
            self._reader = None
        raise RequestError(reported(self._handler, [self._refusal])) from None

    def _is_cancelled_otherwise(self) -> bool:
        """Take back that `refuse` has cancelled the reader; tell whether others have, too."""
        return self._reader is not None and self._reader.uncancel() > 0

    async def _following(self) -> str:
        if not self._confirm:
            return await self._next()
        self._confirm = False
        return self._confirmation()

    def guard(self, viewer: Viewer, generation: int) -> None:
        """Show it to a viewer alone who has the right to, which it had in a generation.

        The viewer is held; it is released with `aclose()`.
        """
        self._viewer = viewer
        viewer.guard(self, generation)

    @abstractmethod
    def suspend(self) -> None:
        """Deliver nothing until it is clear whether the viewer may still get it."""

    @abstractmethod
    def resume(self) -> None:
        """Go on: the viewer may."""

    @abstractmethod
    async def authorise(self) -> None:
        """Ask anew whether the viewer may get it, and refuse it if not."""

    def refuse(self, error: GraphQLError) -> None:
        """End with an error, at once."""
        if self._refusal is None:
            self._refusal = error
            self.suspend()
            if self._reader is not None:
                self._reader.cancel()

    async def aclose(self) -> None:
        """End the subscription. Idempotent."""
        viewer, self._viewer = self._viewer, None
        try:
            await self._end()
        finally:
            if viewer is not None:
                viewer.unguard(self)
                await viewer.release()

    @abstractmethod
    async def _end(self) -> None: ...

    @abstractmethod
    async def _next(self) -> str: ...

    def _confirmation(self) -> str:
        extensions: dict[str, Any] = {"subscribed": True}
        if self.cursor:
            extensions["cursor"] = self.cursor
        return encoded_text({"data": None, "extensions": extensions})

    def _encode(self, response: ExecutionResult) -> str:
        result: dict[str, Any] = {"data": response.data}
        if response.errors:
            result["errors"] = reported(self._handler, response.errors)
        return encoded_text(result)


class SourceResults(Stream):
    """Those of a plain source: an async iterable for this subscriber alone."""

    __slots__ = ("_events", "_executor", "_responses")

    def __init__(
        self,
        handler: GraphQLHandlerBase,
        executor: Executor[Any],
        events: AsyncIterable[Any],
        *,
        confirm: bool,
    ) -> None:
        super().__init__(handler, confirm=confirm)
        self._executor = executor
        self._events = events
        self._responses = map_source_to_response_event(executor, events, _execute)

    def suspend(self) -> None:
        """Do nothing: who reads it waits until it is clear."""

    def resume(self) -> None:
        """Do nothing: who reads it knows."""

    async def authorise(self) -> None:
        """Do nothing: it has no right of its own, but goes with its viewer."""

    async def _end(self) -> None:
        _disentangle(self._executor)
        try:
            await self._responses.aclose()
        finally:
            # A generator of responses that never started does not close its source.
            if hasattr(self._events, "aclose"):
                await self._events.aclose()

    async def _next(self) -> str:
        result = self._encode(await anext(self._responses))
        if self._viewer is not None:
            await self._viewer.clear()
        return result


class LiveResults(Stream):
    """Those of a live field: executed and encoded once for all whose results are the same."""

    __slots__ = (
        *("_executor", "_generation", "_has_one_cursor", "_key", "_member", "_operation"),
        *("_sink", "_skip", "_values"),
    )

    def __init__(
        self,
        handler: GraphQLHandlerBase,
        executor: Executor[Any],
        values: LiveStream,
        operation: Hashable,
        *,
        confirm: bool,
    ) -> None:
        super().__init__(handler, confirm=confirm)
        self._executor = executor
        self._values = values
        self._member = values.member
        member = self._member
        self._has_one_cursor = len(member.topics) == 1 and member.cursor is not None
        self._operation = _operations.setdefault((operation, self._has_one_cursor), _Operation())
        # What takes thousands of deliveries in a row need not ask again for what is constant,
        # or is so for as long as the viewer's rights are.
        scope = values.scope
        self._key = (self._operation, scope()) if scope is sharing.to_everyone else None
        self._generation: int | None = None
        self._skip = values.skips if values.may_skip else None
        self._sink: Sink | None = None

    @property
    def cursor(self) -> str | None:
        """Where the client stands: behind the result that came last."""
        return self._values.cursor

    def pass_to(self, sink: Sink) -> None:
        """Give results that others have executed to a sink, at once, while the reader waits."""
        if not self._values.chooses:
            self._sink = sink
            if self._viewer is None or not self._viewer.is_in_doubt:
                self.resume()

    def suspend(self) -> None:
        """Deliver nothing until it is clear whether the viewer may still get it."""
        self._member.taker = None

    def resume(self) -> None:
        """Go on: the viewer may."""
        if self._sink is not None and self._refusal is None:
            self._member.taker = self

    async def authorise(self) -> None:
        """Ask anew whether the viewer may get it, and refuse it if not."""
        try:
            await self._values.authorise()
        except GraphQLError as error:
            self.refuse(error)
        except Exception as error:
            if is_outage(error):
                raise
            self.refuse(fault(error))

    async def _end(self) -> None:
        _disentangle(self._executor)
        self._sink = None  # whose task may have ended by an exception that leads back here
        await self._values.aclose()

    async def _next(self) -> str:
        shared = await self._values.shared()
        if self._viewer is None:
            return await self._result(shared)
        while True:
            generation = await self._viewer.clear()
            result = await self._result(shared)
            if generation == self._viewer.generation:
                return result

    async def _result(self, shared: Shared) -> str:
        scope = self._values.scope()
        if scope is None:
            return self._addressed(await self._execute(shared))

        async def make() -> str:
            result = await self._execute(shared)
            if self._values.scope() != scope:  # who is asking has become another meanwhile
                raise DisownedError
            return result

        try:
            result = await shared.result((self._operation, scope), make)
        except DisownedError:
            result = await self._execute(shared)
        return self._addressed(result)

    def take(self, shared: Shared) -> bool:
        """Send the result of what the reader waits for, if others have made it."""
        try:
            result = shared.results.get(self._shared_key())
            if result is None:
                return False
            if self._skip is not None and self._skip(shared.value):
                return True
        except Exception:
            return False  # the reader meets it
        assert self._sink is not None
        unfinished = self._sink.send(self._addressed(result))
        if unfinished is not None:
            self._member.finish(unfinished)
        return True

    def _shared_key(self) -> Hashable:
        """Return where others put the results that are the same as this subscriber's."""
        key, viewer = self._key, self._viewer
        if key is None or (viewer is not None and viewer.generation != self._generation):
            key = self._operation, self._values.scope()
            if viewer is not None:
                self._key, self._generation = key, viewer.generation
        return key

    async def _execute(self, shared: Shared) -> str:
        await tasks.turn()
        response = _execute(self._executor.build_per_event_executor(shared.value))
        if isinstance(response, Awaitable):
            response = await response
        result = self._encode(response)
        if self._has_one_cursor:  # all stand where this delivery is
            return _with_cursor(result, self.cursor)
        return result

    def _addressed(self, result: str) -> str:
        return result if self._has_one_cursor else _with_cursor(result, self.cursor)


def _execute(executor: Executor[Any]) -> ExecutionResult | Awaitable[ExecutionResult]:
    # graphql-core 3.3 shares it among the executors of all events, and each adds to it.
    executor._relevant_sub_fields = {}
    return execute_subscription_event(executor)


def _disentangle(executor: Executor[Any]) -> None:
    """Free an executor from helpers that hold it: nothing else of a connection goes in circles."""
    executor.__dict__.pop("async_helpers", None)


def _with_cursor(result: str, cursor: str | None) -> str:
    return f'{result[:-1]},"extensions":{{"cursor":"{cursor}"}}}}' if cursor else result


class _Operation:
    """Stands for operations that are the same; cheaper to compare than what they consist of."""


_operations: WeakValueDictionary[Hashable, _Operation] = WeakValueDictionary()


def operation_of(
    handler: GraphQLHandlerBase,
    document: DocumentNode,
    executor: Executor[Any],
    data: dict[str, Any],
) -> Hashable:
    """Return what is the same for operations that differ in nothing but where they begin."""
    variables = dict(data.get("variables") or {})
    if (name := _cursor_variable(executor)) is not None:
        variables.pop(name, None)
    return handler, document, data.get("operationName"), encoded(sorted(variables.items()))


def _cursor_variable(executor: Executor[Any]) -> str | None:
    """Return the variable that is the argument `after` of the subscription, and nothing else."""
    for field in executor.operation.selection_set.selections:
        for argument in (isinstance(field, FieldNode) and field.arguments) or ():
            if argument.name.value == "after" and isinstance(argument.value, VariableNode):
                name = argument.value.name.value
                uses = _Uses(name)
                for node in (executor.operation, *executor.fragment_definitions.values()):
                    visit(node, uses)
                # One is its definition.
                return name if uses.count == 2 else None
    return None


class _Uses(Visitor):
    """Counts where a variable occurs."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.count = 0
        self._name = name

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.count += node.name.value == self._name
