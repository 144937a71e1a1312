"""The client `gql` for Python: it runs everything, is cut off, and goes on."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
import tenacity
from gql import Client, GraphQLRequest
from gql.client import ReconnectingAsyncClientSession
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportConnectionFailed
from gql.transport.websockets import WebsocketsTransport

from tests.harness.server import ServerProcess

Transport = AIOHTTPWebsocketsTransport | WebsocketsTransport
Session = ReconnectingAsyncClientSession
Events = AsyncGenerator[dict[str, Any], None]

HELLO = "{ hello }"
LISTEN = 'subscription { onNewChatMessage(chatroom: "gql") { text } }'
SEND = 'mutation Send($text: String!) { sendChatMessage(chatroom: "gql", text: $text) { ok } }'


@pytest.fixture(params=["graphql-transport-ws", "graphql-ws"])
def subprotocol(request: pytest.FixtureRequest) -> str:
    """Name the dialect, by its subprotocol."""
    return str(request.param)


@pytest.mark.parametrize("kind_of_transport", [WebsocketsTransport, AIOHTTPWebsocketsTransport])
async def test_its_connection_is_cut_off_and_it_goes_on(
    kind_of_transport: Callable[..., Transport], subprotocol: str, server: ServerProcess
) -> None:
    transport = kind_of_transport(server.ws_url, subprotocols=[subprotocol])
    async with asyncio.timeout(30), connected(transport) as session:
        assert transport.subprotocol == subprotocol
        assert await session.execute(GraphQLRequest(HELLO)) == {"hello": "Hello world!"}
        async with aclosing(session.subscribe(GraphQLRequest(LISTEN))) as events:
            await exchange(session, events, "first")
            sever(transport)
            with pytest.raises(TransportConnectionFailed):
                async for _ in events:
                    pass

        # A query waits for the new connection, a subscription does not.
        await session.execute(GraphQLRequest(HELLO))
        async with aclosing(session.subscribe(GraphQLRequest(LISTEN))) as events:
            await exchange(session, events, "second")


@asynccontextmanager
async def connected(transport: Transport) -> AsyncIterator[Session]:
    client = Client(transport=transport)
    # Left to itself, it tries again only after a second.
    retry = tenacity.retry(
        retry=tenacity.retry_if_exception_type(TransportConnectionFailed),
        wait=tenacity.wait_fixed(0.05),
    )
    session = await client.connect_async(  # type: ignore[no-untyped-call]
        reconnecting=True, retry_execute=retry
    )
    try:
        yield session
    finally:
        await client.close_async()  # type: ignore[no-untyped-call]


async def exchange(session: Session, events: Events, text: str) -> None:
    """Send until it arrives: the client does not tell when a subscription is live."""
    async with asyncio.TaskGroup() as tasks:
        sender = tasks.create_task(send_again_and_again(session, text))
        assert await anext(events) == {"onNewChatMessage": {"text": text}}
        sender.cancel()


async def send_again_and_again(session: Session, text: str) -> None:
    while True:
        sent = await session.execute(GraphQLRequest(SEND, variable_values={"text": text}))
        assert sent == {"sendChatMessage": {"ok": True}}
        await asyncio.sleep(0.3)


def sever(transport: Transport) -> None:
    """End the TCP connection without a goodbye."""
    if isinstance(transport, WebsocketsTransport):
        connection = transport.adapter.websocket
        assert connection is not None
        connection.transport.abort()
    else:
        websocket = transport.adapter.websocket
        assert websocket is not None
        websocket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
