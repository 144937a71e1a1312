"""The attacks by name; each runs until it is cancelled."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import count
from typing import Any
from urllib.parse import urlencode

from benchmarks.attacks.wire import (
    Target,
    answer,
    at_once,
    connection,
    frame,
    post,
    repeated,
    request,
    subscribe,
    websocket,
)

Attack = Callable[[Target], Coroutine[Any, Any, None]]

MEGABYTE = 1 << 20
_numbers = count()


async def escapes(target: Target) -> None:
    """Documents of 15 KB that are nothing but the beginnings of strings."""
    await repeated(target, post('"\\' * 7_600), 8)


async def spaces(target: Target) -> None:
    """A valid document with 15,000 spaces behind it."""
    await repeated(target, post("{hello}" + " " * 15_300), 8)


async def accept(target: Target) -> None:
    """An Accept header of a media type, spaces and one more letter."""
    value = "a/b" + " " * 7_900 + "x"
    await repeated(target, request("GET", "/graphql/?query={hello}", f"Accept: {value}"), 8)


async def long_accept(target: Target) -> None:
    """The same, of 60 KB."""
    value = "a/b" + " " * 60_000 + "x"
    await repeated(target, request("GET", "/graphql/?query={hello}", f"Accept: {value}"), 8)


async def cookies(target: Target) -> None:
    """A cookie of a quote and thousands of backslashes."""
    await repeated(target, post("{hello}", 'Cookie: a="' + "\\" * 7_900), 8)


async def combining(target: Target) -> None:
    """A login whose name is 30,000 combining marks, which take long to normalise."""
    name = "\u0315\u0300\u05ae\u0315\u0062" * 6_000
    login = "mutation($u:String!){login(username:$u,password:$u){ok}}"
    await repeated(target, post(login, u=name), 8)


async def unfinished_head(target: Target) -> None:
    """Header lines without an end."""

    async def step(number: int) -> None:
        async with connection(target) as (_, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            while True:
                line = f"X-{next(_numbers)}: {'x' * 4_000}\r\n".encode()
                writer.write(line * 16)
                await writer.drain()

    await at_once(4, step)


async def large_header(target: Target) -> None:
    """One header line of 75 MB."""

    async def step(number: int) -> None:
        async with connection(target) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
            for _ in range(75):
                writer.write(b"x" * MEGABYTE)
                await writer.drain()
            writer.write(b"\r\n\r\n")
            await answer(reader)

    await at_once(1, step)


async def handshakes(target: Target) -> None:
    """WebSocket handshakes with a header of 9 KB."""

    async def step(number: int) -> None:
        async with connection(target) as (reader, writer):
            writer.write(
                request(
                    "GET",
                    "/graphql/",
                    "Connection: Upgrade",
                    "Upgrade: websocket",
                    "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
                    "X: " + "x" * 9_000,
                )
            )
            async with asyncio.timeout(2):
                await reader.read(1)

    await at_once(50, step)


async def dear_operations(target: Target) -> None:
    """Valid operations that ask for as much as the limits admit."""
    fields = " ".join(f"a{n}:getOrders(first:100){{id state date}}" for n in range(10))
    await repeated(target, post("{" + fields + "}", f"Authorization: Bearer {target.token}"), 8)


async def registrations(target: Target) -> None:
    """New users, whose passwords are hashed, over 200 connections."""
    create = "mutation($u:String!){createUser(username:$u,password:$u){success}}"

    async def step(number: int) -> None:
        async with connection(target) as (reader, writer):
            while True:
                writer.write(post(create, u=f"someone-{number}-{next(_numbers)}-{'x' * 8}"))
                await answer(reader)

    await at_once(200, step)


async def logins(target: Target) -> None:
    """Logins with the right password, over 200 connections."""
    login = "mutation($u:String!,$p:String!){login(username:$u,password:$p){ok}}"
    await repeated(target, post(login, u=target.username, p=target.password), 200)


async def admin_logins(target: Target) -> None:
    """The form of the admin's login, over 50 connections."""
    token = "x" * 32
    fields = {"username": target.username, "password": "wrong", "csrfmiddlewaretoken": token}
    body = urlencode(fields).encode()
    form = request(
        "POST",
        "/admin/login/",
        f"Cookie: csrftoken={token}",
        body=body,
        kind="application/x-www-form-urlencoded",
    )
    await repeated(target, form, 50)


async def large_results(target: Target) -> None:
    """A page of long messages twenty times, by 16 clients that do not read."""
    fields = " ".join(f'a{n}:history(chatroom:"long"){{text}}' for n in range(20))

    async def step(number: int) -> None:
        async with connection(target) as (_, writer):
            for _ in range(20):
                writer.write(post("{" + fields + "}", f"Authorization: Bearer {target.token}"))
            await asyncio.sleep(60)

    await at_once(16, step)


async def large_results_over_websocket(target: Target) -> None:
    """The same over one WebSocket, as 100 operations."""
    fields = " ".join(f'a{n}:history(chatroom:"long"){{text}}' for n in range(20))

    async def step(number: int) -> None:
        async with connection(target) as (reader, writer):
            await websocket(reader, writer, target.token)
            for number in range(100):
                writer.write(subscribe(str(number), "{" + fields + "}"))
            await asyncio.sleep(60)

    await at_once(1, step)


async def pings(target: Target) -> None:
    """Empty pings, whose pongs are read."""
    await _frames(target, frame(0x9) * 1_000, reads=True)


async def unread_pongs(target: Target) -> None:
    """Pings of 125 bytes, whose pongs are not read."""
    await _frames(target, frame(0x9, bytes(125)) * 500, reads=False)


async def fragments(target: Target) -> None:
    """A message that is made of empty fragments without end."""
    await _frames(target, frame(0x1, b"", final=False) + frame(0x0, final=False) * 1_000)


async def _frames(target: Target, frames: bytes, *, reads: bool = False) -> None:
    async def step(number: int) -> None:
        async with connection(target) as (reader, writer):
            await websocket(reader, writer)
            reading = asyncio.create_task(_read_all(reader)) if reads else None
            try:
                while True:
                    writer.write(frames)
                    await writer.drain()
            finally:
                if reading is not None:
                    reading.cancel()

    await at_once(1, step)


async def _read_all(reader: asyncio.StreamReader) -> None:
    while await reader.read(MEGABYTE):
        pass


async def bodies(target: Target) -> None:
    """Bodies of 400 MB to addresses that take none."""

    async def step(number: int) -> None:
        path = "/" if number % 2 else "/nothing-here"
        async with connection(target) as (reader, writer):
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {400 * MEGABYTE}"
            writer.write(f"{head}\r\n\r\n".encode())
            for _ in range(400):
                writer.write(b"x" * MEGABYTE)
                await writer.drain()
            await answer(reader)

    await at_once(2, step)


async def silent_connections(target: Target) -> None:
    """6,000 connections that send nothing."""

    async def step(number: int) -> None:
        async with connection(target) as (reader, _):
            await reader.read()

    await at_once(6_000, step)


async def slow_heads(target: Target) -> None:
    """2,000 connections that send a byte of a header every second."""

    async def step(number: int) -> None:
        async with connection(target) as (_, writer):
            writer.write(b"GET / HTTP/1.1\r\nX: ")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(1)

    await at_once(2_000, step)


async def reservations(target: Target) -> None:
    """Reserved event streams from 24 addresses."""

    async def step(number: int) -> None:
        address = f"127.0.0.{10 + number % 24}"
        async with connection(target, address=address) as (reader, writer):
            while True:
                writer.write(request("PUT", "/graphql/", "Content-Length: 0"))
                await answer(reader)

    await at_once(48, step)


async def unknown_tokens(target: Target) -> None:
    """Tokens that could be sessions, but are none."""

    async def step(number: int) -> None:
        async with connection(target) as (reader, writer):
            while True:
                token = f"{next(_numbers):032d}"
                writer.write(post("{hello}", f"Authorization: Bearer {token}"))
                await answer(reader)

    await at_once(16, step)


async def replays(target: Target) -> None:
    """100 subscriptions at a time that resume from before many events, and go."""
    payload = {"query": "subscription{getOrder{id state}}", "extensions": {"after": target.cursor}}
    message = json.dumps({"id": "1", "type": "subscribe", "payload": payload})

    async def step(number: int) -> None:
        async with connection(target) as (reader, writer):
            await websocket(reader, writer, target.token)
            writer.write(frame(0x1, message.encode()))
            with suppress(TimeoutError):
                async with asyncio.timeout(3):
                    await _read_all(reader)

    await at_once(100, step)


async def long_paths(target: Target) -> None:
    """Paths of 60 KB, which are not found."""
    await repeated(target, request("GET", "/" + "x" * 60_000), 8)


async def bad_hosts(target: Target) -> None:
    """Hosts that are not allowed."""
    message = request("GET", "/").replace(b"Host: 127.0.0.1", b"Host: bad.example.org")
    await repeated(target, message, 8)


async def guesses(target: Target) -> None:
    """Passwords that are guessed, 24 at once."""
    login = 'mutation($u:String!){login(username:$u,password:"wrong"){ok}}'
    await repeated(target, post(login, u=target.username), 24)


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        escapes,
        spaces,
        accept,
        long_accept,
        cookies,
        combining,
        unfinished_head,
        large_header,
        handshakes,
        dear_operations,
        registrations,
        logins,
        admin_logins,
        guesses,
        large_results,
        large_results_over_websocket,
        pings,
        unread_pongs,
        fragments,
        bodies,
        silent_connections,
        slow_heads,
        reservations,
        unknown_tokens,
        replays,
        long_paths,
        bad_hosts,
    )
}
