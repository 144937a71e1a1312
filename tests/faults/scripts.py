"""Processes that run under the project's settings until their standard input ends."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any, Self

from tests.harness.server import ROOT, project_environment

_END_SECONDS = 30


class Script:
    """One process of `manage.py shell`; on exit of its context it has ended, however it was."""

    def __init__(self, code: str, env: Mapping[str, str]) -> None:
        self._code = code
        self._env = env
        self._log: IO[bytes]
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", self._code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env=project_environment(self._env),
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def finish(self) -> Any:
        """End the standard input, and return the JSON that the process prints then."""
        output, _ = self._process.communicate(timeout=_END_SECONDS)
        assert self._process.returncode == 0, self.log()
        return json.loads(output)

    def log(self) -> str:
        """Return what the process has written on standard error."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")
