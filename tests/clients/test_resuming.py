"""The code of docs/clients.md, as it stands there, against a server that is killed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.node import HERE, Node
from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import ServerProcess, manage
from tests.harness.servers import Environment, migrated

DOCUMENT = HERE.parents[1] / "docs" / "clients.md"
LIBRARIES = ["apollo", "graphql-ws", "graphql-sse"]
WRITE = "from messaging.services import write_in_room as write\n"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return the environment of a demo, with a user who may log in."""
    environment = migrated(tmp_path_factory)
    create = "from accounts.models import User; User.objects.create_user('one', password='pass')"
    manage("shell", "--verbosity", "0", "-c", create, env=environment)
    return environment


@pytest.fixture(scope="module")
def server(environment: Environment) -> Iterator[ServerProcess]:
    """Run the server as in production; each test leaves it running."""
    with ServerProcess("uvicorn", environment) as process:
        yield process


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the code of the document to a folder in which Node.js finds the packages."""
    folder = tmp_path_factory.mktemp("recipe")
    blocks = re.findall(r"^```js\n// (\S+)\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.M)
    for name, code in blocks:
        (folder / name).write_text(code)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    return folder


def write(environment: Environment, *texts: str) -> None:
    """Write in the room in another process."""
    lines = "\n".join(f"write(sender=None, room='resuming', text='{text}')" for text in texts)
    manage("shell", "--verbosity", "0", "-c", WRITE + lines, env=environment)


@pytest.mark.parametrize("library", LIBRARIES)
def test_nothing_is_missed_or_doubled_when_the_server_is_killed(
    library: str, node: Node, recipe: Path, server: ServerProcess, environment: Environment
) -> None:
    write(environment, "earlier")
    sent = ["before"]
    with node.started("resuming.mjs", library, str(recipe), server.graphql_url) as script:
        assert script.until("listening") == ["listening"]
        write(environment, "before")
        lines = script.until("received before")
        for round in (1, 2):
            server.kill()
            down = [f"down {round}.{number}" for number in range(20)]
            write(environment, *down)
            server.start()
            lines += script.until(f"received {down[-1]}")
            write(environment, f"up {round}")
            lines += script.until(f"received up {round}")
            sent += [*down, f"up {round}"]
    assert lines == [f"received {text}" for text in sent]


@pytest.mark.parametrize("library", ["apollo", "graphql-ws"])
def test_a_subscription_whose_cursor_has_expired_begins_afresh_and_tells_of_the_gap(
    library: str, node: Node, recipe: Path, server: ServerProcess, environment: Environment
) -> None:
    with node.started("resuming.mjs", library, str(recipe), server.graphql_url) as script:
        script.until("listening")
        write(environment, "before")
        script.until("received before")
        server.kill()
        write(environment, "lost")
        manage("reset_epochs", "--no-input", env=environment)
        server.start()
        assert script.until("gap") == ["gap"]
        write(environment, "after")
        assert script.until("received") == ["received after"]


@pytest.mark.parametrize("library", ["apollo", "graphql-ws"])
def test_a_token_that_is_not_valid_ends_the_subscription_once(
    library: str, node: Node, recipe: Path, server: ServerProcess, environment: Environment
) -> None:
    token = GraphQLHTTP(server.graphql_url).post(
        'mutation { login(username: "one", password: "pass") { token } }'
    )["data"]["login"]["token"]
    with node.started("resuming.mjs", library, str(recipe), server.graphql_url) as script:
        script.until("listening")
        write(environment, "before")
        script.until("received before")
        script.tell(token)
        write(environment, "after the login")
        assert script.until("received") == ["reconnecting", "received after the login"]
        script.tell("nobody")
        lines = script.until("failed")
        assert lines[0] == "reconnecting"
        assert lines[1].startswith("forbidden ")
        assert len(lines) == 3


def test_a_list_is_followed_from_its_cursor(
    node: Node, recipe: Path, server: ServerProcess, environment: Environment
) -> None:
    order = "from orders.models import Order\n"
    create = "Order.objects.create(user_id=1, state='UNPAID')"
    manage("shell", "--verbosity", "0", "-c", order + create, env=environment)
    with node.started("resuming.mjs", "orders", str(recipe), server.graphql_url) as script:
        assert script.until("listening") == ["order 1 UNPAID", "listening"]
        for change in ("Order.objects.update(state='PAID')", "Order.objects.get().delete()"):
            manage("shell", "--verbosity", "0", "-c", order + change, env=environment)
        assert script.until("order 1 deleted") == ["order 1 PAID", "order 1 deleted"]
