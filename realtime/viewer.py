"""Who is asking, over one request or connection, for as long as it lasts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from channels.auth import UserLazyObject
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from graphql import GraphQLError

from realtime import guesses, places, sessions
from realtime.database import in_database
from realtime.exceptions import UnauthenticatedError
from realtime.places import Place
from realtime.rates import network_of
from realtime.sessions import Found
from realtime.viewers import Viewers

KEY = "viewer"
"""Where the ASGI scope has it; beside it are `user` and `session`, as Channels has them."""

NOBODY = AnonymousUser()
"""Nobody in particular."""


def viewer_of(request: Any) -> "Viewer | None":
    """Return who asks by a request, or over a WebSocket; None where nobody found that out."""
    viewer: Viewer | None = request.scope.get(KEY)
    return viewer


class Guarded(Protocol):
    """What a viewer gets for as long as it may: a subscription."""

    def suspend(self) -> None:
        """Deliver nothing until it is clear whether the viewer may still get it."""

    def resume(self) -> None:
        """Go on: it may."""

    async def authorise(self) -> None:
        """Ask anew whether it may, and refuse it if not."""

    def refuse(self, error: GraphQLError) -> None:
        """End with an error."""


class Viewer:
    """The user of a session, or nobody in particular.

    While something holds it, changes of its rights are heard of: nothing more is delivered
    then until its session, its user and each of its subscriptions were looked at anew.
    """

    # Thousands are open at once: the less memory each takes, the better.
    __slots__ = (
        *("_answers_with_cookie", "_changing", "_expiry", "_guarded", "_holders"),
        *("_is_clear", "_is_heard_of", "_key", "_over", "_place", "_session", "_user"),
        *("address", "generation", "on_gone", "pk"),
    )

    def __init__(self, scope: MutableMapping[str, Any], *, answers_with_cookie: bool) -> None:
        self.generation = 0
        """How often there was doubt about its rights."""
        self.pk: str | None = None
        """The user's primary key as text; None of nobody in particular."""
        self.on_gone: Callable[[], None] | None = None
        """Called when its session or its user is no more."""
        self.address: str = (scope.get("client") or ("",))[0]
        """Where it asks from."""
        self._answers_with_cookie = answers_with_cookie
        self._user = scope["user"] = UserLazyObject()
        self._user._wrapped = NOBODY
        self._session = scope["session"]
        self._key: str | None = None
        self._changing = asyncio.Lock()
        self._holders = 0
        self._is_heard_of = False
        self._over = 0
        """The generation in which its session ended last."""
        self._place: Place | None = None
        self._guarded: set[Guarded] = set()
        self._is_clear: asyncio.Event | None = None
        """Set when doubt ends; None while there is none."""
        self._expiry: asyncio.TimerHandle | None = None
        scope[KEY] = self

    @property
    def user(self) -> Any:
        """The user as last read; an AnonymousUser where it is nobody in particular."""
        return self._user._wrapped

    async def identify(self, key: object) -> bool:
        """Become the user of the session that has this key; return whether there is one.

        Raises RateLimitedError where others were tried too often at its address.
        """
        if not sessions.is_key(key):
            return False
        text = str(key)
        guesses.check(text, self.address)
        async with self._changing:
            await self._be_heard_of()
            found = await self._find(key)
            guesses.note(text, self.address, is_good=found is not None)
            if found is not None:
                self._become(found)
        return found is not None

    async def _find(self, key: Any) -> Found | None:
        if not self._holders:
            return await in_database(sessions.find)(key)
        while True:
            # What is heard meanwhile may be of this one, whom nobody knows by its name yet.
            with Viewers.current().rumours() as rumours:
                found = await in_database(sessions.find)(key)
            if found is None or not rumours & {None, str(found.user.pk)}:
                return found

    async def identify_by_session(self) -> None:
        """Become the user of the session in the scope. Raises RateLimitedError as `identify`."""
        key = self._session.session_key
        guesses.check(key, self.address)
        user = await in_database(sessions.user_of)(self._session)
        guesses.note(key, self.address, is_good=user.is_authenticated)
        if user.is_authenticated:
            self._be(user, self._session.session_key)

    async def log_in(self, user: Any) -> str:
        """Become a user who was just authenticated; return the token of a new session."""
        async with self._changing:
            await self._be_heard_of()
            if self._place is not None and self.pk != str(user.pk):
                places.check(str(user.pk), self._network)
            session = self._session if self._answers_with_cookie else sessions.opened()
            begin = in_database(sessions.begin)
            return self._renewed(await begin(session, user, address=self.address))

    async def keep_in(self, change: Awaitable[Any]) -> str:
        """Stay the user whose password a change replaces; return the token of the new session.

        The change returns the user. Raises what it raises.
        """
        async with self._changing:  # who looks at it meanwhile would find its session ended
            renew = in_database(sessions.renew)
            return self._renewed(await renew(self._session, await change))

    async def log_out(self) -> None:
        """End the session."""
        async with self._changing:
            await in_database(sessions.end)(self._session, self.user, address=self.address)
            self._end()

    def _renewed(self, found: Found) -> str:
        self._become(found)
        if self._holders:
            self.doubt()  # what it already gets, it may get as another
        token: str = found.session.session_key
        guesses.note(token, self.address, is_good=True)
        return token

    def _become(self, found: Found) -> None:
        before = self.pk
        if self._place is not None:
            self._place.take(str(found.user.pk), self._network, is_let_in=True)
        self._be(found.user, found.session.session_key)
        if found.session is not self._session:
            self._session._wrapped = found.session
        self._watch_expiry(found)
        if self._holders:
            Viewers.current().rename(self, before)

    def _be(self, user: Any, key: str | None) -> None:
        self._user._wrapped, self._key = user, key
        # As text, for good: who deletes a user takes its key.
        self.pk = None if user.pk is None else str(user.pk)

    # Rights that change

    def hold(self) -> None:
        """Be known as long as its holders: each calls `release` once."""
        self._holders += 1
        if self._holders == 1:
            Viewers.current().join(self)

    async def release(self) -> None:
        """End what `hold` began."""
        self._holders -= 1
        if not self._holders:
            self._is_heard_of = False
            self._watch_expiry(None)
            await Viewers.current().leave(self)

    async def ready(self) -> int:
        """Return, when changes of its rights are heard of, the generation that is clear.

        It is to be held.
        """
        if not self._is_heard_of:
            await self._be_heard_of()
            if self._key is not None:
                self.doubt()  # it was read before anybody listened
        return await self.clear()

    def guard(self, guarded: Guarded, generation: int) -> None:
        """Have what it gets, and got the right to in a generation, authorised again as it changes.

        It is to be held for as long.
        """
        self._guarded.add(guarded)
        if generation < self._over:
            guarded.refuse(UnauthenticatedError())
        elif generation != self.generation:
            self.doubt()

    def unguard(self, guarded: Guarded) -> None:
        """End what `guard` began. Idempotent."""
        self._guarded.discard(guarded)

    async def _be_heard_of(self) -> None:
        if self._holders and not self._is_heard_of:
            await Viewers.current().hear()
            self._is_heard_of = True

    @property
    def is_in_doubt(self) -> bool:
        """Whether it is not clear what it may get."""
        return self._is_clear is not None

    async def clear(self) -> int:
        """Return, when it is clear what it may get, the generation of which that is true."""
        while self._is_clear is not None:
            await self._is_clear.wait()
        return self.generation

    async def catch_up(self) -> None:
        """Return when it is clear what it may do, by all that is committed by now.

        Else a process that has ended its session would be heard of some time later.
        """
        if self._is_heard_of and self._key is not None:
            await Viewers.current().catch_up()
        await self.clear()

    def doubt(self) -> None:
        """Suspend all that it gets, until it was looked at anew."""
        self.generation += 1
        self._is_clear = self._is_clear or asyncio.Event()
        for each in self._guarded:
            each.suspend()
        Viewers.current().look_at(self)

    async def settle(self) -> None:
        """Look at it anew. Raises what the database raises; there is doubt still, then."""
        async with self._changing:
            generation = self.generation
            if self._key is not None:
                found = await in_database(sessions.find)(self._key)
                if found is None:
                    self._end()
                    return
                self._be(found.user, self._key)
                self._watch_expiry(found)
            for each in [*self._guarded]:
                await each.authorise()
            if generation == self.generation:
                self._end_doubt()
                for each in self._guarded:
                    each.resume()

    def _end(self) -> None:
        before = self.pk
        self.generation += 1
        self._over = self.generation  # what was begun before is over, too, if it comes yet
        self._be(NOBODY, None)
        self._watch_expiry(None)
        if self._holders:
            Viewers.current().rename(self, before)
        for each in [*self._guarded]:
            each.refuse(UnauthenticatedError())
        self._end_doubt()
        if self.on_gone is not None:
            self.on_gone()

    def _end_doubt(self) -> None:
        if self._is_clear is not None:
            self._is_clear.set()
            self._is_clear = None

    def _watch_expiry(self, found: Found | None) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if found is not None and found.expires is not None and self._holders:
            seconds = (found.expires - timezone.now()).total_seconds()
            loop = asyncio.get_running_loop()
            # Not at once: the database compares with a clock of its own, and rounds.
            self._expiry = loop.call_later(max(seconds, 0) + 0.01, self.doubt)

    @asynccontextmanager
    async def connected(self, *, is_let_in: bool) -> AsyncIterator[None]:
        """Hold it, and count it as a connection. Raises TooManyConnectionsError."""
        self.hold()
        try:
            self._place = Place()
            self._place.take(self.pk, self._network, is_let_in=is_let_in)
            yield
        finally:
            if self._place is not None:
                self._place.leave()
                self._place = None
            await self.release()

    def let_in(self) -> None:
        """Count it among those who are let in. Raises TooManyConnectionsError."""
        if self._place is not None:
            self._place.take(self.pk, self._network, is_let_in=True)

    @property
    def _network(self) -> str | None:
        return network_of(self.address)
