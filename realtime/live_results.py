"""The results of a live field: made once for all whose results are the same."""

from collections.abc import Awaitable, Hashable
from contextlib import suppress
from typing import Any, Protocol
from weakref import WeakValueDictionary

from ariadne.asgi.handlers.base import GraphQLHandlerBase
from graphql import DocumentNode, Executor, FieldNode, GraphQLError, VariableNode, Visitor, visit

from realtime import sharing, tasks
from realtime.delivery import DisownedError, Shared
from realtime.eager import Unfinished
from realtime.encoding import encoded
from realtime.errors import fault, is_outage, reported
from realtime.exceptions import ForbiddenError
from realtime.extensions import Writer
from realtime.live_stream import LiveStream
from realtime.stream import Stream, disentangle, execute


class Sink(Protocol):
    """Where the results of one operation go."""

    writer: Writer | None
    """What writes a result without awaiting, where the server can."""

    def send(self, result: str) -> Unfinished | None:
        """Send a result; return what is to be awaited before the next, if anything is."""


class LiveResults(Stream):
    """Those of a live field: executed and encoded once for all whose results are the same."""

    __slots__ = (
        *("_executor", "_has_one_cursor", "_member", "_operation", "_sink", "_skip"),
        "_values",
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
        self._operation = _operations.setdefault((operation, self._has_one_cursor), _Same())
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
        self._member.taker = self._member.writer = self._member.key = None

    def resume(self) -> None:
        """Go on: the viewer may."""
        if self._sink is not None and self._refusal is None:
            self._member.taker = self

    async def authorise(self) -> None:
        """Ask anew whether the viewer may get it, and refuse it if not."""
        try:
            await self._values.authorise()
        except GraphQLError as error:
            # Its traceback leads back here, and asgiref's futures hold on to it.
            self.refuse(error.with_traceback(None))
        except Exception as error:
            if is_outage(error):
                raise
            reported(self._handler, [fault(error)])
            self.refuse(ForbiddenError("It cannot be told whether you may still have this."))

    async def _end(self) -> None:
        disentangle(self._executor)
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

        with suppress(DisownedError):
            result = await shared.result(self._key_of(scope), make)
            if self._values.scope() == scope:
                return self._addressed(result)
        return self._addressed(await self._execute(shared))

    def take(self, shared: Shared) -> bool:
        """Send the result of what the reader waits for, if others have made it."""
        try:
            result = shared.results.get(self._member.key or self._shared_key())
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
        key = self._key_of(self._values.scope())
        # Whoever else the viewer becomes, there is doubt about it before.
        if self._viewer is not None or self._values.scope is sharing.to_everyone:
            self._member.key = key
            if self._sink is not None and self._has_one_cursor and self._skip is None:
                self._member.writer = self._sink.writer
        return key

    def _key_of(self, scope: Hashable) -> Hashable:
        return _cohorts.setdefault((self._operation, scope), _Same())

    async def _execute(self, shared: Shared) -> str:
        await tasks.turn()
        response = execute(self._executor.build_per_event_executor(shared.value))
        if isinstance(response, Awaitable):
            response = await response
        result = self._encode(response)
        if self._has_one_cursor:  # all stand where this delivery is
            return _with_cursor(result, self.cursor)
        return result

    def _addressed(self, result: str) -> str:
        return result if self._has_one_cursor else _with_cursor(result, self.cursor)


def _with_cursor(result: str, cursor: str | None) -> str:
    return f'{result[:-1]},"extensions":{{"cursor":"{cursor}"}}}}' if cursor else result


class _Same:
    """Stands for all that are the same; cheaper to compare than what they consist of."""


_operations: WeakValueDictionary[Hashable, _Same] = WeakValueDictionary()
_cohorts: WeakValueDictionary[Hashable, _Same] = WeakValueDictionary()
"""Of one operation, those subscribers whose results are the same."""


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
