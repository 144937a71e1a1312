"""Apollo Client: it runs everything, is cut off, and goes on."""

import pytest

from tests.clients.node import Node
from tests.harness.server import ServerProcess


@pytest.mark.parametrize("transport", ["graphql-ws", "subscriptions-transport-ws", "multipart"])
def test_its_subscriptions_are_cut_off_and_go_on(
    transport: str, node: Node, server: ServerProcess
) -> None:
    assert node.run("apollo.mjs", transport, server.graphql_url) == [
        '{"data":{"hello":"Hello world!"}}',
        '{"data":{"sendChatMessage":{"__typename":"SendChatMessageResult","ok":true}}}',
        "first arrived",
        "second arrived",
    ]
