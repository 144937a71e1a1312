"""Checks that messages reach this process over the channel layer, and renews its connections.

A connection may be dead although TCP acknowledges what is sent, for instance after a load
balancer has failed over. A process that only listens would wait there for ever.
"""

import asyncio
from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from secrets import token_hex
from typing import Any

from channels.layers import BaseChannelLayer

PROBE_INTERVAL = 2.0
"""Seconds between a probe that came back and the next one."""

PROBE_TIMEOUT = 4.0
"""Seconds in which a probe must be sent and come back."""

GRACE = 0.5
"""More seconds for it, in which an event loop that was blocked reads what has arrived."""

RENEWAL_TIMEOUT = 5.0
"""Seconds for closing connections."""

KEY = "probe"


class Probe:
    """Messages that a process sends to itself, to groups that no other process joins.

    There is one group for each Redis server of the layer, since each has a connection of its own.
    """

    def __init__(self, layer: BaseChannelLayer) -> None:
        self._layer = layer
        self.groups = _groups(layer)
        """The groups that the receiving channel must join."""
        self._missing = {*self.groups}
        self._have_arrived = asyncio.Event()

    async def run(self) -> None:
        """Send probes while they come back. Raises TimeoutError, or what the layer raises."""
        while True:
            self._missing = {*self.groups}
            self._have_arrived.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(PROBE_TIMEOUT):
                    for group in self.groups:
                        await self._send(group)
                    await self._have_arrived.wait()
            if self._missing:
                await asyncio.sleep(GRACE)
            if self._missing:
                seconds = PROBE_TIMEOUT + GRACE
                raise TimeoutError(f"a message to this process did not arrive within {seconds:g} s")
            await asyncio.sleep(PROBE_INTERVAL)

    async def _send(self, group: str) -> None:
        message = {"type": "realtime", KEY: group}
        try:
            await self._layer.group_send(group, message)
        except Exception:
            # The server may have closed an idle connection, which fails once.
            await self._layer.group_send(group, message)

    def heard(self, message: Mapping[str, Any]) -> bool:
        """Take note of a message; return whether messages of all Redis servers arrive."""
        if len(self.groups) == 1:
            # Any message shows it. Under load the layer may have dropped the probe.
            self._missing.clear()
        else:
            self._missing.discard(message.get(KEY, ""))
        if not self._missing:
            self._have_arrived.set()
        return not self._missing


async def renew(layer: BaseChannelLayer) -> None:
    """Close the connections that a layer of channels_redis has on the running event loop.

    It opens new ones by itself, and subscribes again to all that it was subscribed to.
    """
    for pool in _pools(layer):
        with suppress(Exception):  # one that does not close is renewed nonetheless
            async with asyncio.timeout(RENEWAL_TIMEOUT):
                await pool.disconnect()


def has_timed_out(error: Exception) -> bool:
    """Return whether a read has only timed out.

    RedisChannelLayer reads for 5 s at a time, which is also the default `socket_timeout` of
    redis-py: such an error says only that there was no message. The probe says more.
    """
    if isinstance(error, TimeoutError):
        return True
    try:
        from redis.exceptions import TimeoutError as RedisTimeoutError
    except ImportError:
        return False
    return isinstance(error, RedisTimeoutError)


# channels_redis tells neither which server a group is on nor what its connections are. Layers
# of other packages are taken for one server, and their connections are their own affair.


def _groups(layer: BaseChannelLayer) -> tuple[str, ...]:
    prefix = f"realtime.probe.{token_hex(8)}."
    found: dict[Hashable, str] = {}
    number_of_servers = _number_of_servers(layer)
    for number in count():
        group = f"{prefix}{number}"
        found.setdefault(_server_of(layer, group), group)
        if len(found) == number_of_servers:
            return tuple(found.values())
    raise AssertionError


def _number_of_servers(layer: Any) -> int:
    if hasattr(layer, "_shards"):  # RedisPubSubChannelLayer
        return len(layer._shards)
    return int(getattr(layer, "ring_size", 1))  # RedisChannelLayer


def _server_of(layer: Any, group: str) -> Hashable:
    if hasattr(layer, "_shards"):
        shard: Hashable = layer._get_shard(layer._get_group_channel_name(group))
        return shard
    if hasattr(layer, "ring_size"):
        return int(layer.consistent_hash(group))
    return 0


def _pools(layer: Any) -> Iterator[Any]:
    if hasattr(layer, "_shards"):
        for shard in layer._shards:
            if shard._redis is not None:
                yield shard._redis.connection_pool
    elif hasattr(layer, "ring_size"):
        for index in range(layer.ring_size):
            yield layer.connection(index).connection_pool
