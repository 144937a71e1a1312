"""GraphQL over HTTP, by the audits of the graphql-http library."""

from tests.clients.node import Node
from tests.harness.server import ServerProcess
from tests.harness.servers import Environment, Kind


def test_every_audit_is_ok(node: Node, server: ServerProcess) -> None:
    assert node.run("audit.mjs", server.graphql_url) == ["61 of 61 ok"]


def test_without_introspection_those_that_query_the_schema_fail(
    node: Node, kind: Kind, environment: Environment
) -> None:
    without = {**environment, "CLEW_INTROSPECTION": "0", "CLEW_GRAPHIQL": "0"}
    with ServerProcess(kind, without) as server:
        *faults, count = node.run("audit.mjs", server.graphql_url)
    assert count == "57 of 61 ok"
    assert all("{variables} parameter" in fault for fault in faults), faults
