"""The results of a subscription, as the JSON texts that go to its client."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Awaitable
from typing import Any, Self

from ariadne.asgi.handlers.base import GraphQLHandlerBase
from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    execute_subscription_event,
    map_source_to_response_event,
)

from realtime.encoding import encoded_text
from realtime.errors import RequestError, fault, is_outage, reported
from realtime.exceptions import LoadError, ResultTooLargeError, UnavailableError
from realtime.result_size import encoded_result
from realtime.viewer import Viewer


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
            raise RequestError(
                errors,
                is_fault=isinstance(error, LoadError),
                is_outage=isinstance(error, UnavailableError),
            ) from None
        except StopAsyncIteration:
            if self._refusal is None:
                raise
            self._is_cancelled_otherwise()  # what was awaited has ended by it
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
        try:
            return encoded_result(result).decode()
        except ResultTooLargeError as error:
            # In the place of the event, which so is not left out without a word.
            return encoded_text({"data": None, "errors": reported(self._handler, [error])})


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
        self._responses = map_source_to_response_event(executor, events, execute)

    def suspend(self) -> None:
        """Do nothing: who reads it waits until it is clear."""

    def resume(self) -> None:
        """Do nothing: who reads it knows."""

    async def authorise(self) -> None:
        """Do nothing: it has no right of its own, but goes with its viewer."""

    async def _end(self) -> None:
        disentangle(self._executor)
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


def execute(executor: Executor[Any]) -> ExecutionResult | Awaitable[ExecutionResult]:
    """Return the response to one event."""
    # graphql-core 3.3 shares it among the executors of all events, and each adds to it.
    executor._relevant_sub_fields = {}
    return execute_subscription_event(executor)


def disentangle(executor: Executor[Any]) -> None:
    """Free an executor from helpers that hold it: nothing else of a connection goes in circles."""
    executor.__dict__.pop("async_helpers", None)
