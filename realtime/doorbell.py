"""The doorbell: hints that a log has grown, and broadcasts that no log keeps.

A ring says "topic X is at offset N". Lost, late or doubled rings change nothing but
latency. Topics are hashed onto a few groups that every process joins once, so that
memberships neither grow nor churn with topics. Listeners in this process are told
directly; the channel layer carries the rest to other processes.
"""

import asyncio
import atexit
import logging
import os
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from channels.layers import BaseChannelLayer

from realtime import groups, tasks
from realtime.probing import KEY as PROBE
from realtime.probing import Probe, has_timed_out, renew
from realtime.reachability import KNOCK_INTERVAL, OnceAlone, Reachability, Way

SEND_TIMEOUT = 2.0
"""Seconds after which a message is given up; for rings, the sweep finds what it would have told."""

REJOIN_INTERVAL = 3600.0
"""Seconds between joins of the groups: memberships expire, by default after a day."""

JOIN_TIMEOUT = 10.0
"""Seconds in which the groups must be joined."""

WAITING_BROADCASTS = 1000
"""Broadcasts that wait for the layer; the oldest is dropped first, they are at most once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one delivery of the doorbell tells: new heads (offset, epoch), and broadcasts."""

    heads: Mapping[str, tuple[int, str]]
    broadcasts: tuple[tuple[str, str], ...] = ()


Hear = Callable[[Message], None]


def ring(heads: Mapping[str, tuple[int, str]]) -> None:
    """Tell every process that these topics have new heads. Returns at once, never raises."""
    _tell(Message(heads=heads))


def carry(topic: str, text: str) -> None:
    """Send a text to the present listeners of a topic: at most once. Returns at once, never raises.

    What one thread sends to a topic arrives in order.
    """
    _tell(Message(heads={}, broadcasts=((topic, text),)))


def _tell(message: Message) -> None:
    with _listeners_lock:
        listeners = tuple(_listeners.items())
    for hear, loop in listeners:
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(hear, message)
    if groups.remote_layer() is not None:
        _outgoing.put(message)


def has_room() -> bool:
    """Tell whether a broadcast would be sent without that an older one is dropped."""
    return _outgoing.has_room()


def wait_for_room() -> None:
    """Block until there is room, or a send must have been given up."""
    _outgoing.wait_for_room()


_listeners: dict[Hear, asyncio.AbstractEventLoop] = {}
_listeners_lock = threading.Lock()


def attach(hear: Hear) -> None:
    """Have `hear` called on the running event loop with what this process tells."""
    with _listeners_lock:
        _listeners[hear] = asyncio.get_running_loop()


def detach(hear: Hear) -> None:
    """End what `attach` began."""
    with _listeners_lock:
        _listeners.pop(hear, None)


async def receive(hear: Hear) -> None:
    """Call `hear` with what other processes tell, until cancelled.

    A layer that fails is tried again: meanwhile the sweep alone finds new events.
    """
    layer = groups.remote_layer()
    if layer is None:
        return
    with reachability.receiving():
        while True:
            try:
                await _receive(layer, hear)
            except Exception as error:
                _heed_cancellation()
                reachability.lost(Way.RECEIVING, error)
                await asyncio.sleep(KNOCK_INTERVAL)


async def _receive(layer: BaseChannelLayer, hear: Hear) -> None:
    """Join the groups under a new channel, and hear what comes there for a while."""
    probe = Probe(layer)
    joined = [*groups.names(), *probe.groups]
    channel: str | None = None
    try:
        async with asyncio.timeout(JOIN_TIMEOUT):
            # All processes hear how many groups this one has. It comes first, since the layer for
            # pub/sub keeps each channel that it makes, also where Redis is away.
            await layer.group_send(groups.first(), groups.message())
            channel = await layer.new_channel("realtime.")
            for group in joined:
                await layer.group_add(group, channel)
        _heed_cancellation()
        running = {
            asyncio.create_task(_read(layer, channel, hear, probe), name="realtime-receive"),
            asyncio.create_task(probe.run(), name="realtime-probe"),
        }
        try:
            ended, _ = await asyncio.wait(
                running, timeout=REJOIN_INTERVAL, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            await tasks.end(running)
        for task in ended:
            task.result()
    except Exception as error:
        reachability.lost(Way.RECEIVING, error)
        await renew(layer)
        raise
    finally:
        with suppress(Exception):
            async with asyncio.timeout(SEND_TIMEOUT):
                for group in joined:
                    await layer.group_discard(group, channel)


async def _read(layer: BaseChannelLayer, channel: str, hear: Hear, probe: Probe) -> None:
    while True:
        try:
            message = await layer.receive(channel)
        except Exception as error:
            if has_timed_out(error):
                continue  # the probe finds out whether messages arrive
            raise
        if probe.heard(message):
            reachability.found(Way.RECEIVING)
        if PROBE not in message:
            _hear_remote(hear, message)


def _heed_cancellation() -> None:
    """Be cancelled now, if redis-py has swallowed it, which it may do while it connects."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _hear_remote(hear: Hear, message: Mapping[str, Any]) -> None:
    if message["origin"] == groups.origin():
        return
    groups.compare(message)
    hear(
        Message(
            heads={topic: (offset, epoch) for topic, (offset, epoch) in message["heads"]},
            broadcasts=tuple((topic, text) for topic, text in message["broadcasts"]),
        )
    )


def reaches_other_processes() -> bool:
    """Tell whether the layer does: the in-memory one does not."""
    return groups.remote_layer() is not None


class _SendingLoop(asyncio.SelectorEventLoop):
    """Looks addresses up on its own thread: pools take no work when the process is ending."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        return socket.getaddrinfo(host, port, **hints)


class _Outgoing:
    """Messages on their way to the layer, sent from a thread of its own.

    Committing threads never wait for the layer. What comes while a send is under
    way goes with the next, as one message a group.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._heads: dict[str, tuple[int, str]] = {}
        self._broadcasts: deque[tuple[str, str]] = deque(maxlen=WAITING_BROADCASTS)
        self._scheduled = False
        self._executor: ThreadPoolExecutor | None = None
        self._runner: asyncio.Runner | None = None
        self._is_known = False
        """Whether the others were told how many groups this process has."""

    def has_room(self) -> bool:
        return len(self._broadcasts) < WAITING_BROADCASTS

    def wait_for_room(self) -> None:
        with self._lock:
            self._lock.wait_for(self.has_room, SEND_TIMEOUT)

    def put(self, message: Message) -> None:
        with self._lock:
            self._heads.update(message.heads)
            self._broadcasts.extend(message.broadcasts)
            if self._scheduled:
                return
            self._scheduled = True
            if self._executor is None:
                self._executor = ThreadPoolExecutor(1, thread_name_prefix="doorbell")
            with suppress(RuntimeError):  # the process ends, and so late takes no work
                self._executor.submit(self._send)

    def _send(self) -> None:
        with self._lock:
            heads, self._heads = self._heads, {}
            broadcasts = list(self._broadcasts)
            self._broadcasts.clear()
            self._scheduled = False
            self._lock.notify_all()
        if self._runner is None:
            self._runner = asyncio.Runner(loop_factory=_SendingLoop)
            atexit.register(self._runner.close)
        try:
            self._send_or_repeat(self._runner, heads, broadcasts)
        except Exception as error:
            reachability.lost(Way.SENDING, error)
        else:
            reachability.found(Way.SENDING)

    def _send_or_repeat(
        self,
        runner: asyncio.Runner,
        heads: Mapping[str, tuple[int, str]],
        broadcasts: list[tuple[str, str]],
    ) -> None:
        try:
            runner.run(self._send_to_groups(heads, broadcasts))
        except TimeoutError:
            raise
        except Exception as error:
            # A connection that the other side has ended while it rested fails once.
            if broadcasts:
                reachability.lost(Way.SENDING, error)
            # Rings may come twice. Broadcasts may not, and some may have gone out.
            runner.run(self._send_to_groups(heads, []))

    async def _send_to_groups(
        self, heads: Mapping[str, tuple[int, str]], broadcasts: list[tuple[str, str]]
    ) -> None:
        messages: dict[str, dict[str, Any]] = defaultdict(groups.message)
        for topic, head in heads.items():
            messages[groups.group_of(topic)]["heads"].append([topic, [*head]])
        for topic, text in broadcasts:
            messages[groups.group_of(topic)]["broadcasts"].append([topic, text])
        if not (messages and self._is_known):
            messages[groups.first()]  # one that tells nothing else, which reaches all processes
        layer = groups.remote_layer()
        if layer is not None:
            async with asyncio.timeout(SEND_TIMEOUT):
                for group, message in messages.items():
                    await layer.group_send(group, message)
        self._is_known = True


_outgoing = _Outgoing()
os.register_at_fork(after_in_child=_outgoing.__init__)  # type: ignore[misc]  # a thread of its own


def _knock() -> None:
    _outgoing.put(Message(heads={}))


reachability = Reachability(_knock)
"""Whether the layer can be reached, both ways."""
os.register_at_fork(after_in_child=reachability.reset)
logging.getLogger("channels_redis.pubsub").addFilter(OnceAlone(reachability))
