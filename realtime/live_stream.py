"""The values of a live field as its subscriber gets them."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, ClassVar, Self

from graphql import GraphQLResolveInfo

from realtime.database import call
from realtime.delivery import Shared
from realtime.exceptions import ForbiddenError
from realtime.functions import topic_names
from realtime.member import Member


async def topics_of(
    function: Callable[..., Any],
    role: str,
    root: Any,
    info: GraphQLResolveInfo[Any],
    /,
    **args: Any,
) -> frozenset[str]:
    """Return the topics that a field names to a subscriber. Raises what the field raises."""
    given = await call(function, root, info, **args)
    return topic_names(given, of=f"{role}({info.field_name!r})")


def _nobody() -> None:
    return None


class LiveStream:
    """The values of one live field for one subscriber: an initial one, then one an event."""

    chooses: ClassVar[bool] = False
    """Whether its reader alone can tell what of each value this subscriber gets."""
    __slots__ = ("_ask", "_first", "_skip", "member", "scope")

    def __init__(
        self,
        member: Member[Any],
        *,
        ask: Callable[[], Awaitable[frozenset[str]]] | None = None,
        first: Any | None = None,
        share: Callable[[], Hashable | None] | None = None,
        skip: Callable[[Any], bool] | None = None,
    ) -> None:
        self.member = member
        self.scope = share or _nobody
        """Returns what tells whose results are the same as this subscriber's; None: nobody's.

        To be asked anew where who is asking may have changed since.
        """
        self._ask = ask
        self._first = first
        self._skip = skip

    async def authorise(self) -> None:
        """Ask anew for the topics that the subscriber may have.

        Raises what the field raises, and ForbiddenError where they are others now.
        """
        if self._ask is not None and not self.member.topics <= await self._ask():
            raise ForbiddenError("Your rights have changed: subscribe again.")

    @property
    def cursor(self) -> str | None:
        """Where the subscriber stands: behind the value that it got last.

        None while it has not got its initial value, which resuming would not bring.
        """
        return None if self._first is not None else self.member.cursor

    def shared(self) -> Awaitable[Shared]:
        """Return the next value as all subscribers get it. Raises StopAsyncIteration."""
        if self._first is None and self._skip is None:
            return self.member.__anext__()  # the usual case has no frame of its own
        return self._chosen()

    async def _chosen(self) -> Shared:
        if self._first is not None:
            first, self._first = self._first, None
            return Shared(first)
        while True:
            shared: Shared = await anext(self.member)
            if not self.skips(shared.value):
                return shared

    @property
    def may_skip(self) -> bool:
        """Whether there are values that this subscriber is not to get."""
        return self._skip is not None

    def skips(self, value: Any) -> bool:
        """Tell whether this subscriber is not to get a value."""
        return self._skip is not None and self._skip(value)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return (await self.shared()).value

    async def aclose(self) -> None:
        """End the subscription. Idempotent."""
        await self.member.aclose()
