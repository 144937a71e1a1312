"""Node.js, by which the clients from npm run."""

import fcntl
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Node:
    """The Node.js of this machine, with the packages of this folder installed."""

    def __init__(self, node: str, npm: str) -> None:
        self._node = node
        wanted, installed = HERE / "package-lock.json", HERE / "node_modules/.package-lock.json"
        with wanted.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be at it
            if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
                self._run(npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", timeout=300)

    def run(self, *arguments: str) -> list[str]:
        """Run a script of this folder and return the lines it prints; it must not fail."""
        return self._run(self._node, *arguments, timeout=120).splitlines()

    def _run(self, *command: str, timeout: float) -> str:
        done = subprocess.run(
            command, cwd=HERE, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
