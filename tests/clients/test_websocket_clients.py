"""The WebSocket clients of others: they run everything, are cut off, and go on."""

import subprocess
from pathlib import Path

import pytest

from tests.harness.server import ServerProcess

SCRIPT = Path(__file__).resolve().parent / "websocket.mjs"


@pytest.mark.parametrize("library", ["graphql-ws", "subscriptions-transport-ws"])
def test_a_client_from_npm(library: str, node: str, server: ServerProcess) -> None:
    done = subprocess.run(
        [node, SCRIPT, library, server.ws_url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == [
        '{"data":{"hello":"Hello world!"}}',
        '{"data":{"sendChatMessage":{"ok":true}}}',
        "first arrived",
        "second arrived, by socket 2",
    ], done.stderr
