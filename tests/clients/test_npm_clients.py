"""The clients from npm: they run everything, are cut off, and go on."""

import pytest

from tests.clients.node import Node
from tests.harness.server import ServerProcess

LINES = [
    '{"data":{"hello":"Hello world!"}}',
    '{"data":{"sendChatMessage":{"ok":true}}}',
    "first arrived",
    "second arrived",
]


@pytest.mark.parametrize("library", ["graphql-ws", "subscriptions-transport-ws"])
def test_over_websocket(library: str, node: Node, server: ServerProcess) -> None:
    assert node.run("websocket.mjs", library, server.ws_url) == LINES


@pytest.mark.parametrize("mode", ["distinct", "single", "eventsource"])
def test_over_server_sent_events(mode: str, node: Node, server: ServerProcess) -> None:
    assert node.run("--experimental-eventsource", "sse.mjs", mode, server.graphql_url) == LINES
