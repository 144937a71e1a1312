"""The WebSocket clients from npm: they run everything, are cut off, and go on."""

import pytest

from tests.clients.node import Node
from tests.harness.server import ServerProcess


@pytest.mark.parametrize("library", ["graphql-ws", "subscriptions-transport-ws"])
def test_a_client_is_cut_off_and_goes_on(library: str, node: Node, server: ServerProcess) -> None:
    assert node.run("websocket.mjs", library, server.ws_url) == [
        '{"data":{"hello":"Hello world!"}}',
        '{"data":{"sendChatMessage":{"ok":true}}}',
        "first arrived",
        "second arrived",
    ]
