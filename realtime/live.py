"""Live fields: subscription fields that show the changes of published models."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from ariadne import SubscriptionType
from django.db.models import QuerySet
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLString,
    default_field_resolver,
)

from realtime.broadcast_fields import SKIP, BroadcastField
from realtime.database import call
from realtime.delivery import Shown
from realtime.functions import by_id, callable_in_thread, refuse_async, topics_of_object
from realtime.hub import Hub
from realtime.live_stream import LiveStream, topics_of
from realtime.models import Event
from realtime.sharing import Scope, everyone, same_user, scope_of

__all__ = ["SKIP", "Kind", "LiveSubscriptionType", "everyone", "resuming", "same_user"]

F = TypeVar("F", bound=Callable[..., Any])

Kind = Event.Kind


AFTER = """Begin with what has happened since this cursor; "0" asks for all that is retained.
Each result bears one, as `extensions.cursor`."""

resuming: ContextVar[str | None] = ContextVar("resuming", default=None)
"""The cursor after which the subscription that is being started goes on."""


class LiveField:
    """One live field: how it finds its topics, and what it shows of their events."""

    def __init__(
        self,
        name: str,
        topics: Callable[..., Any],
        kinds: Collection[Kind],
        initial: Callable[..., Any] | None,
        coalesce: bool,
        share: Scope | None,
        skip: Callable[..., bool] | None,
        hide_moved: bool,
    ) -> None:
        self.coalesces = coalesce
        self._name = name
        self._topics = topics
        self._kinds = frozenset(kinds)
        self._initial = initial
        self._share = share
        self._skip = skip
        self._hides_moved = hide_moved
        self._load: Callable[[list[str]], Mapping[Any, Any]] | None = None
        self._gone: Callable[[list[Event]], Mapping[Any, Any]] | None = None

    def __str__(self) -> str:
        return f"the live field {self._name!r}"

    def bind(self, load: Callable[..., Any], gone: Callable[..., Any] | None) -> None:
        """Take what reads its objects, and what stands for those that are deleted."""
        self._load = callable_in_thread(load)
        self._gone = gone and callable_in_thread(gone)

    async def source(self, root: Any, info: GraphQLResolveInfo[Any], **args: Any) -> "LiveStream":
        """Subscribe; when this returns, every later event will be delivered."""
        after, given = resuming.get(), args.pop("after", None)
        if after is None:  # first that of the request: who reconnects does not edit an operation
            after = given
        ask = partial(topics_of, self._topics, "topics", root, info, **args)
        subscription = await Hub.current().subscribe(await ask(), self, after=after)
        try:
            first = None
            if self._initial and after is None:  # who resumes has had it
                first = await call(self._initial, root, info, **args)
                await Hub.current().hand_out_first()  # it may show what is later than its right
        except BaseException:
            await subscription.aclose()
            raise
        return LiveStream(
            subscription,
            ask=ask,
            first=first,
            share=scope_of(self._share, root, info, **args),
            skip=partial(self._skip, info=info, **args) if self._skip else None,
        )

    def values(self, events: Sequence[Event]) -> list[Shown]:
        """Load what the field shows of a batch of events, in one read for all objects.

        An object that is no longer there is shown as `gone` has it, else not at all; one that
        has moved to another topic perhaps not, either.
        """
        shown = [event for event in events if event.kind in self._kinds]
        ids = {event.object_id for event in shown if event.kind != Kind.DELETED}
        present = self._by_id("load", self._load, [*ids]) if ids else {}
        missing = [
            event for event in shown if event.kind == Kind.DELETED or event.object_id not in present
        ]
        absent = self._by_id("gone", self._gone, missing) if missing else {}
        return [
            (event, value)
            for event in shown
            if (value := _value(event, present, absent)) is not None
            and not (self._hides_moved and event.topic_id not in topics_of_object(value))
        ]

    def _by_id(
        self, role: str, function: Callable[..., object] | None, given: Sequence[Any]
    ) -> dict[str, Any]:
        return by_id(function(given), of=f"{role}({self._name!r})") if function else {}


class LiveSubscriptionType(SubscriptionType):
    """An Ariadne SubscriptionType whose fields can be live.

    A live field has `topics` and `load`, perhaps `gone`, and perhaps an ordinary resolver,
    which is called with each loaded object; without one it shows the object. A field of
    ephemeral broadcasts has `broadcasts` instead, perhaps `publish`; plain `source`
    generators work beside them.

    Functions given here may be sync, then they run in a database thread, or async. `share`,
    `skip` and `publish` are called for each subscriber and value, on the event loop: the
    first two must be sync.
    """

    def __init__(self) -> None:
        super().__init__()
        self._live: dict[str, LiveField] = {}
        self._loads: dict[str, Callable[[list[str]], Mapping[Any, Any]]] = {}
        self._gone: dict[str, Callable[[list[Event]], Mapping[Any, Any]]] = {}
        self._broadcasts: dict[str, BroadcastField] = {}
        self._publishes: dict[str, Callable[..., Any]] = {}

    def topics(
        self,
        name: str,
        *,
        kinds: Iterable[Kind] = tuple(Kind),
        initial: Callable[..., Any] | None = None,
        coalesce: bool = False,
        share: Scope | None = same_user,
        skip: Callable[..., bool] | None = None,
        hide_moved: bool = False,
    ) -> Callable[[F], F]:
        """Register what authorises a subscriber to a field and names the topics.

        It is called as a resolver is and returns one topic or several, or raises a
        GraphQLError. `kinds` are the kinds of event that the field shows. `initial`,
        called likewise, returns a first value that is sent at once, or None.

        With `coalesce`, of several events of one object that wait for a subscriber the
        newest alone is delivered. With `hide_moved` an object is shown on those topics alone
        that it names when it is read, so that who may follow one does not see what has moved
        to another since. `skip(value, info=info, **arguments)` says for each
        subscriber what not to deliver, as the echo to the sender; it must not read the
        database.

        Subscribers to the same operation with the same variables share one execution an
        event if `share(root, info, **arguments)` returns the same for them: `everyone`,
        `same_user` (the default), a function of your own, which must not read the database
        and may return None, or None for no sharing. It is asked again when the rights of the
        asker have changed, if not before. What resolvers learn of the asker beyond that, they
        must not use.
        """
        refuse_async(name, share=share, skip=skip)

        def register(function: F) -> F:
            self._live[name] = LiveField(
                name, function, tuple(kinds), initial, coalesce, share, skip, hide_moved
            )
            return function

        return register

    def load(self, name: str) -> Callable[[F], F]:
        """Register what reads the objects of a batch of events: ids (strings) to a mapping by id.

        It may be async: a database thread waits for it, and runs its use of the ORM.
        """

        def register(function: F) -> F:
            self._loads[name] = function
            return function

        return register

    def gone(self, name: str) -> Callable[[F], F]:
        """Register what stands for objects that are deleted: their events to a mapping by id."""

        def register(function: F) -> F:
            self._gone[name] = function
            return function

        return register

    def broadcasts(
        self,
        name: str,
        *,
        share: Scope | None = same_user,
        load: Iterable[QuerySet[Any]] = (),
    ) -> Callable[[F], F]:
        """Register what authorises a subscriber and names the topics whose broadcasts it gets.

        Called as `topics` is, and `share` is as there. What `realtime.broadcasts` sends
        is delivered to present subscribers, at most once, and never replayed.

        Model instances are read once for all subscribers to the field, through the
        querysets in `load`, one a model, which name the relations that the resolvers touch.
        One that is gone, or not in its queryset, is None within a list or a dictionary; a
        broadcast that consists of it alone is not delivered.
        """
        refuse_async(name, share=share)

        def register(function: F) -> F:
            self._broadcasts[name] = BroadcastField(function, share, load)
            return function

        return register

    def publish(self, name: str) -> Callable[[F], F]:
        """Register what chooses, for each subscriber, what it gets of a broadcast.

        `publish(event, info, **arguments)` returns the event itself, which is executed
        once for all of the same `share` who get it; another value, executed for this
        subscriber alone; or SKIP. It may be async; a sync one runs on the event loop and
        must not read the database.
        """

        def register(function: F) -> F:
            self._publishes[name] = function
            return function

        return register

    def bind_to_schema(self, schema: GraphQLSchema) -> None:
        """Give each live field its source. Raises ValueError for one that is half declared."""
        for name in self._loads.keys() | self._gone.keys():
            if name not in self._live:
                raise ValueError(f"Live field {name!r} has no topics: use @….topics({name!r})")
        for name, field in self._live.items():
            if name not in self._loads:
                raise ValueError(f"Live field {name!r} loads nothing: use @….load({name!r})")
            field.bind(self._loads[name], self._gone.get(name))
            self._set_source(name, field.source)
        for name in self._publishes:
            if name not in self._broadcasts:
                raise ValueError(f"Field {name!r} has no broadcasts: use @….broadcasts({name!r})")
        for name, broadcasts in self._broadcasts.items():
            broadcasts.publish = self._publishes.get(name)
            self._set_source(name, broadcasts.source)
        super().bind_to_schema(schema)
        assert schema.subscription_type is not None, "Ariadne has found it"
        fields = schema.subscription_type.fields
        for name in self._live.keys() | self._broadcasts.keys():
            if fields[name].resolve is None:
                fields[name].resolve = _the_value
        for name in self._live:
            _take_after(name, fields[name])

    def _set_source(self, name: str, source: Callable[..., Awaitable[AsyncIterator[Any]]]) -> None:
        # Ariadne's type names generators; a coroutine lets subscribing end before the first event.
        self.set_source(name, source)  # type: ignore[arg-type]


def _the_value(value: Any, info: GraphQLResolveInfo[Any], **_: Any) -> Any:
    """Resolve a field that has no resolver of its own."""
    return value


def _take_after(name: str, field: GraphQLField) -> None:
    """Let a field have the argument `after`, which its functions are not given."""
    after = field.args.setdefault("after", GraphQLArgument(GraphQLString, description=AFTER))
    if after.type is not GraphQLString:
        raise ValueError(
            f"Live field {name!r} declares an argument 'after' of type {after.type}: every live "
            "field has one, a cursor. Rename yours, or declare the cursor as `after: String`."
        )
    resolve = field.resolve or default_field_resolver

    def resolve_without(value: Any, info: GraphQLResolveInfo[Any], **args: Any) -> Any:
        args.pop("after", None)
        return resolve(value, info, **args)

    field.resolve = resolve_without


def _value(event: Event, present: Mapping[str, Any], absent: Mapping[str, Any]) -> Any | None:
    if event.kind != Kind.DELETED and event.object_id in present:
        return present[event.object_id]
    return absent.get(event.object_id)
