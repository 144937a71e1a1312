"""GraphQL over HTTP, by the audits of the graphql-http library."""

from tests.clients.node import Node
from tests.harness.server import ServerProcess


def test_every_audit_is_ok(node: Node, server: ServerProcess) -> None:
    assert node.run("audit.mjs", server.graphql_url) == ["61 of 61 ok"]
