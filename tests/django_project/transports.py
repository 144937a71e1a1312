"""One operation over each transport, in process: its first result, as the client gets it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from inspect import isawaitable
from typing import Any, Protocol
from urllib.parse import urlencode

from realtime.protocols import GraphQLTransportWS, SubscriptionsTransportWS
from realtime.testing import GraphQLClient, OperationError
from tests.people import Person
from tests.realtime.streams import HttpStream, answer

Result = dict[str, Any]

Then = Callable[[], object]
"""What is to happen when a subscription is live; it may be async."""


class Ask(Protocol):
    """Runs an operation, and returns its first result."""

    def __call__(
        self, document: str, then: Then, variables: Mapping[str, Any] | None = None, /
    ) -> Awaitable[Result]: ...


Transport = Callable[[Any, Person | None], AbstractAsyncContextManager[Ask]]
"""Asks an application, as somebody; None has no session."""


Credential = Callable[[Person | None], dict[str, str]]


async def happened(then: Then) -> None:
    result = then()
    if isawaitable(result):
        await result


def cookie(person: Person | None) -> dict[str, str]:
    return dict(person.headers) if person else {}


def bearer(person: Person | None) -> dict[str, str]:
    return {"authorization": f"Bearer {person.token}"} if person else {}


@asynccontextmanager
async def post(
    application: Any, person: Person | None, *, credential: Credential = cookie
) -> AsyncIterator[Ask]:
    async def ask(document: str, then: Then, variables: Mapping[str, Any] | None = None) -> Result:
        body = {"query": document, "variables": variables}
        _, text = await answer(application, "POST", body=body, **credential(person))
        result: Result = json.loads(text)
        return result

    yield ask


@asynccontextmanager
async def get(application: Any, person: Person | None) -> AsyncIterator[Ask]:
    async def ask(document: str, then: Then, variables: Mapping[str, Any] | None = None) -> Result:
        headers = {**cookie(person), "apollo_require_preflight": "true"}
        query = urlencode({"query": document, "variables": json.dumps(variables)})
        _, text = await answer(application, "GET", query_string=query, **headers)
        result: Result = json.loads(text)
        return result

    yield ask


def event(chunk: str) -> Result | None:
    """Return the result in a chunk of server-sent events, None where it is something else."""
    fields = dict(line.split(": ", 1) for line in chunk.strip().splitlines() if ": " in line)
    return json.loads(fields["data"]) if fields.get("event") == "next" else None


def part(chunk: str) -> Result | None:
    """Return the result in a part of a multipart response, None where it is something else."""
    _, _, body = chunk.partition("\r\n\r\n")
    payload: Result | None = json.loads(body.partition("\r\n--")[0] or "{}").get("payload")
    return payload


@asynccontextmanager
async def stream(
    application: Any,
    person: Person | None,
    *,
    accept: str,
    result_in: Callable[[str], Result | None],
) -> AsyncIterator[Ask]:
    async def ask(document: str, then: Then, variables: Mapping[str, Any] | None = None) -> Result:
        body = {"query": document, "variables": variables, "extensions": {"confirm": True}}
        response = HttpStream(application, accept=accept, body=body, **cookie(person))
        await response.open()
        try:
            while True:
                result = result_in(await response.chunk())
                if result is None:
                    continue
                if not result.get("extensions", {}).get("subscribed"):
                    return result
                await happened(then)
        finally:
            await response.leave()

    yield ask


@asynccontextmanager
async def websocket(
    application: Any,
    person: Person | None,
    *,
    subprotocol: str = GraphQLTransportWS.SUBPROTOCOL,
    with_cookie: bool = True,
) -> AsyncIterator[Ask]:
    headers = cookie(person) if with_cookie else {}
    payload: Mapping[str, str] | None = None if with_cookie else bearer(person)
    async with GraphQLClient(
        application, headers=headers, payload=payload, subprotocol=subprotocol
    ) as client:

        async def ask(
            document: str, then: Then, variables: Mapping[str, Any] | None = None
        ) -> Result:
            try:
                if not document.startswith("subscription"):
                    return {"data": await client.query(document, variables)}
                subscription = await client.subscribe(document, variables)
                await happened(then)
                data = await subscription.receive()
                await subscription.stop()
            except OperationError as error:
                return {"data": error.data, "errors": error.errors}
            return {"data": data}

        yield ask


QUERIES = ("query",)
ONE_RESULT = ("query", "mutation")
SUBSCRIPTIONS = ("subscription",)
EVERYTHING = (*ONE_RESULT, *SUBSCRIPTIONS)

LEGACY = SubscriptionsTransportWS.SUBPROTOCOL

TRANSPORTS: dict[str, tuple[Transport, tuple[str, ...]]] = {
    "POST": (post, ONE_RESULT),
    "POST with a token": (partial(post, credential=bearer), ONE_RESULT),
    "GET": (get, QUERIES),
    "SSE": (partial(stream, accept="text/event-stream", result_in=event), EVERYTHING),
    "multipart": (
        partial(stream, accept="multipart/mixed;subscriptionSpec=1.0", result_in=part),
        SUBSCRIPTIONS,
    ),
    "graphql-transport-ws": (websocket, EVERYTHING),
    "graphql-transport-ws with a token": (partial(websocket, with_cookie=False), EVERYTHING),
    "graphql-ws": (
        partial(websocket, subprotocol=LEGACY),
        EVERYTHING,
    ),
}
"""With the kinds of operation that each carries."""

WITH_TOKEN = frozenset(name for name in TRANSPORTS if "token" in name)
