"""Run the project's real server, and its management commands, as processes."""

import http.client
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from tests.harness.service_process import HOST, Service

ROOT = Path(__file__).resolve().parents[2]
GRAPHQL_PATH = "/graphql/"


class CommandFailedError(Exception):
    """A management command ended with a failure; the message holds its output."""


class ServerProcess(Service):
    """The project on a free port, under daphne (as in development) or uvicorn (as in production).

    With `application` another ASGI application, named as `module:attribute`. `options` are
    of `manage.py serve`, which runs the project itself under uvicorn.
    A server that does not end on SIGTERM fails the test at the end of its block.
    """

    name = "the server"

    def __init__(
        self,
        kind: Literal["daphne", "uvicorn"],
        env: Mapping[str, str],
        *,
        application: str | None = None,
        options: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.kind = kind
        self._env = env
        self._application = application
        self._options = options

    @property
    def url(self) -> str:
        """The origin, without a path."""
        return f"http://{HOST}:{self.port}"

    @property
    def graphql_url(self) -> str:
        """The endpoint of queries and mutations over HTTP."""
        return self.url + GRAPHQL_PATH

    @property
    def ws_url(self) -> str:
        """The endpoint of subscriptions."""
        return f"ws://{HOST}:{self.port}{GRAPHQL_PATH}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if exception is None:
                self.stop()
        finally:
            self.close()

    def _command(self) -> Sequence[str | Path]:
        # Unbuffered, so that `log` sees a line once it is written.
        python = [sys.executable, "-u"]
        if self.kind == "daphne" and self._application:
            return [
                *(*python, "-m", "daphne", "--bind", HOST, "--port", str(self.port)),
                self._application,
            ]
        if self.kind == "daphne":
            return [*python, "manage.py", "runserver", f"{HOST}:{self.port}", "--noreload"]
        address = ("--host", HOST, "--port", str(self.port))
        if self._application:
            http = ("--http", "realtime.uvicorn_http:HTTP")
            websocket = ("--ws", "realtime.uvicorn_websocket:WebSocket")
            return [*python, "-m", "uvicorn", self._application, *address, *http, *websocket]
        return [*python, "manage.py", "serve", *address, *self._options]

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", GRAPHQL_PATH)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def _surroundings(self) -> dict[str, Any]:
        return {"cwd": ROOT, "env": project_environment(self._env)}


def manage(*arguments: str, env: Mapping[str, str]) -> str:
    """Run `python manage.py` and return its standard output; raises CommandFailedError."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=ROOT,
        env=project_environment(env),
        timeout=120,
        check=False,
        text=True,
    )
    if done.returncode != 0:
        command = " ".join(arguments)
        output = done.stdout + done.stderr
        raise CommandFailedError(f"{command} ended with status {done.returncode}:\n{output}")
    return done.stdout


def project_environment(env: Mapping[str, str]) -> Mapping[str, str]:
    home = os.environ.get("HOME", "/")
    base = {"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8"}
    # Tests are in a hurry, and a crowd at one address; those of limits set their own.
    limits = {
        "CLEW_OPERATION_RATE": "0",
        "CLEW_MESSAGE_RATE": "0",
        "CLEW_REGISTRATION_RATE": "0",
        "CLEW_HASHING_RATE": "0",
        "CLEW_MAX_CONNECTIONS_PER_ADDRESS": "100000",
        "CLEW_MAX_USER_CONNECTIONS_PER_ADDRESS": "100000",
        "CLEW_MAX_ANONYMOUS_CONNECTIONS": "100000",
    }
    return {**base, **limits, "CLEW_ENV_FILE": os.devnull, **env}
