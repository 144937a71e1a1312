"""What schemathesis thinks of asking the running server, of every root field."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis

from tests.harness.server import ServerProcess, manage

EXAMPLES = 40
"""Operations for each root field."""

PASSWORD = "a-password-of-the-test"
LOGIN = f'mutation {{ login(username: "user_one", password: "{PASSWORD}") {{ ok }} }}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serve the demo's data outside demo mode."""
    environment = {
        "SECRET_KEY": "end-to-end",
        "ALLOWED_HOSTS": "127.0.0.1",
        "CLEW_HTTPS": "0",
        "CLEW_INTROSPECTION": "1",
        "DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('database') / 'db.sqlite3'}",
    }
    manage("migrate", "--verbosity", "0", env=environment)
    load = (
        "from django_project.demo import load_demo; load_demo(); "
        "from accounts.models import User; user = User.objects.get(username='user_one'); "
        f"user.set_password('{PASSWORD}'); user.save()"
    )
    manage("shell", "--verbosity", "0", "-c", load, env=environment)
    options = ("--forwarded-allow-ips", "127.0.0.1")
    with ServerProcess("uvicorn", environment, options=options) as process:
        yield process
        assert "Traceback" not in process.log(), process.log()


@pytest.fixture(scope="module")
def addresses() -> Iterator[str]:
    return (f"10.0.0.{n}" for n in count(1))


@pytest.fixture
def session(server: ServerProcess, addresses: Iterator[str]) -> Iterator[requests.Session]:
    """Return what asks as user_one, from an address at which no login has failed yet."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers["X-Forwarded-For"] = next(addresses)
        login = session.post(server.graphql_url, json={"query": LOGIN}).json()
        assert login == {"data": {"login": {"ok": True}}}
        yield session


@pytest.fixture(scope="module")
def operations(server: ServerProcess) -> dict[str, Any]:
    """Return the root fields of Query and Mutation, by their names."""
    schema = schemathesis.graphql.from_url(server.graphql_url)
    results: Iterable[Any] = schema.get_all_operations()
    found = [result.ok() for result in results]
    return {operation.label: operation for operation in found}


def root_fields() -> list[str]:
    from django_project.schema import schema

    roots = [root for root in (schema.query_type, schema.mutation_type) if root is not None]
    return [f"{root.name}.{field}" for root in roots for field in root.fields]


@pytest.mark.parametrize("field", root_fields())
@pytest.mark.parametrize("mode", schemathesis.GenerationMode, ids=lambda mode: mode.value)
def test_no_answer_is_a_fault_of_ours(
    field: str,
    mode: schemathesis.GenerationMode,
    operations: dict[str, Any],
    session: requests.Session,
) -> None:
    @hypothesis.given(operations[field].as_strategy(generation_mode=mode))
    @hypothesis.settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    def ask(case: Any) -> None:
        response = case.call(session=session)
        assert response.status_code < 500
        for error in response.json().get("errors", ()):
            # What is not said by the parser or by validation is said on purpose, with a code.
            code = error.get("extensions", {}).get("code")
            assert "path" not in error or code is not None, error
            assert code != "INTERNAL_SERVER_ERROR", error

    ask()
