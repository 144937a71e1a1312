"""A page whose login is over: its client stops, and says so."""

import pytest

from tests.clients.node import Node
from tests.harness.server import ServerProcess


@pytest.fixture(scope="module", params=["uvicorn"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name the server: Daphne sends no reasons."""
    return str(request.param)


def test_a_client_of_graphql_ws_learns_why_and_stops(node: Node, server: ServerProcess) -> None:
    lines = node.run("refused.mjs", server.ws_url, "a" * 32)
    assert lines == ["4403 Invalid or expired token: log in again. after 1 connection"]
