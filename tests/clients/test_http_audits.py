"""GraphQL over HTTP, by the audits of the graphql-http library."""

import subprocess
from pathlib import Path

from tests.harness.server import ServerProcess

AUDIT = Path(__file__).resolve().parent / "audit.mjs"


def test_every_audit_is_ok(node: str, server: ServerProcess) -> None:
    done = subprocess.run(
        [node, AUDIT, server.graphql_url], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "61 of 61 ok\n"
