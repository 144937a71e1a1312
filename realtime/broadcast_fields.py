"""Subscription fields that show broadcasts."""

from collections.abc import Awaitable, Callable, Hashable, Iterable
from copy import deepcopy
from enum import Enum
from functools import partial
from inspect import isawaitable
from typing import Any

from django.db.models import QuerySet
from graphql import GraphQLResolveInfo

from realtime.audience import Broadcasts
from realtime.delivery import Shared
from realtime.hub import Hub
from realtime.live_stream import LiveStream, topics_of
from realtime.reading import AS_THEY_ARE, Reading
from realtime.sharing import Scope, scope_of


class Skip(Enum):
    """What a `publish` returns instead of a value."""

    SKIP = "skip"


SKIP = Skip.SKIP
"""Returned by a `publish`: this subscriber does not get this broadcast."""


class BroadcastField:
    """One field of broadcasts: how it finds its topics, and what of them a subscriber gets."""

    def __init__(
        self,
        topics: Callable[..., Any],
        share: Scope | None,
        load: Iterable[QuerySet[Any]],
    ) -> None:
        self._topics = topics
        self._share = share
        querysets = tuple(load)
        self._reading = Reading(querysets) if querysets else AS_THEY_ARE
        self.publish: Callable[..., Any] | None = None

    async def source(self, root: Any, info: GraphQLResolveInfo[Any], **args: Any) -> LiveStream:
        """Listen; when this returns, every later broadcast will be delivered."""
        ask = partial(topics_of, self._topics, "broadcasts", root, info, **args)
        member = Hub.current().broadcasts(await ask(), self._reading)
        share = scope_of(self._share, root, info, **args)
        if (publish := self.publish) is None:
            return LiveStream(member, ask=ask, share=share)
        choose = partial(publish, info=info, **args)
        return ChosenStream(member, self, choose, ask=ask, share=share)


class ChosenStream(LiveStream):
    """The broadcasts of a field that chooses, by its `publish`, what each subscriber gets."""

    chooses = True
    __slots__ = ("_field", "_publish")

    def __init__(
        self,
        member: Broadcasts,
        field: BroadcastField,
        publish: Callable[[Any], Any],
        *,
        ask: Callable[[], Awaitable[frozenset[str]]],
        share: Callable[[], Hashable | None] | None,
    ) -> None:
        super().__init__(member, ask=ask, share=share)
        self._field = field
        self._publish = publish

    def shared(self) -> Awaitable[Shared]:
        """Return the next value, as those of the same scope get it who get it unchanged."""
        return self._next()

    async def _next(self) -> Shared:
        while True:
            given = self._given(await anext(self.member))
            value = self._publish(given.value)
            if isawaitable(value):
                value = await value
            if value is given.value:
                return given
            if value is not SKIP:
                return Shared(value)

    def _given(self, shared: Shared) -> Shared:
        """Return a broadcast with a copy of its value, which no other scope gets to see.

        So a `publish` that changes it in place tells those of other rights nothing.
        """
        scope = self.scope()
        if scope is None:
            return Shared(deepcopy(shared.value))
        return shared.copied((self._field, scope))
