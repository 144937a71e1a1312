"""The log of `serve --access-log`, on PostgreSQL, which quotes the rows that it refuses."""

import json
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlencode

import psycopg
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import ServerProcess, manage
from tests.harness.services import Postgres
from tests.harness.websocket_client import SUBPROTOCOL

SECRET = "only-for-your-eyes"
CREATE = 'mutation { createUser(username: "user_one") { user { userId } } }'
WRITE = """mutation ($content: String!) {
    createMessage(senderId: "1", recipientId: "1", content: $content) { success } }"""
READ = urlencode(
    {
        "query": "query ($name: String!) { userId(username: $name) }",
        "variables": json.dumps({"name": SECRET}),
    }
)


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> str:
    """Return the address of a database of its own, which refuses the secret as a message."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE logs")
    return postgres.url.rpartition("/")[0] + "/logs"


@pytest.fixture(params=["1", "2"], ids=["one worker", "two workers"])
def server(request: pytest.FixtureRequest, database: str) -> Iterator[ServerProcess]:
    environment = {
        "CLEW_DEMO": "1",
        "SECRET_KEY": "end-to-end",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": database,
    }
    manage("migrate", "--verbosity", "0", env=environment)
    options = ("--access-log", "--workers", request.param)
    with ServerProcess("uvicorn", environment, options=options) as process:
        yield process


def test_it_tells_paths_without_their_queries(server: ServerProcess) -> None:
    with urllib.request.urlopen(f"{server.graphql_url}?{READ}") as response:
        assert json.load(response) == {"data": {"userId": None}}
    subprotocols = [Subprotocol(SUBPROTOCOL)]
    with connect(f"{server.ws_url}?token={SECRET}", subprotocols=subprotocols, proxy=None):
        pass
    server.stop()
    assert '"GET /graphql/ HTTP/1.1" 200' in server.log()
    assert '"WebSocket /graphql/" [accepted]' in server.log()
    assert SECRET not in server.log()


def test_it_does_not_quote_a_row_that_is_refused(server: ServerProcess, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE messaging_message DROP CONSTRAINT IF EXISTS discreet")
        connection.execute(
            f"ALTER TABLE messaging_message ADD CONSTRAINT discreet CHECK (content <> '{SECRET}')"
        )
    http = GraphQLHTTP(server.graphql_url)
    http.post(CREATE)
    answer = http.post(WRITE, {"content": SECRET})
    assert answer["errors"][0]["message"] == "Internal server error"
    server.stop()
    assert 'violates check constraint "discreet"' in server.log()
    assert "Traceback" in server.log()
    assert SECRET not in server.log()
