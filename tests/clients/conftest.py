"""The clients from npm."""

import shutil

import pytest

from tests.clients.node import Node


@pytest.fixture(scope="session")
def node() -> Node:
    """Return Node.js with its packages."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node.js and npm were not found on this machine: clients from npm are not run")
    return Node(node, npm)
