"""Node.js, by which the clients from npm run."""

import fcntl
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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

    @contextmanager
    def started(self, *arguments: str) -> Iterator["Script"]:
        """Run a script of this folder until the end of the block, and converse with it."""
        process = subprocess.Popen(
            [self._node, *arguments],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        script = Script(process)
        try:
            yield script
        finally:
            process.kill()
            script.close()

    def _run(self, *command: str, timeout: float) -> str:
        done = subprocess.run(
            command, cwd=HERE, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class Script:
    """A script that runs: the lines that it prints, and what it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def until(self, last: str, *, seconds: float = 60) -> list[str]:
        """Return the lines up to and with one that begins so. Raises queue.Empty without it."""
        lines: list[str] = []
        while not lines or not lines[-1].startswith(last):
            lines.append(self._lines.get(timeout=seconds))
        return lines

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Wait for the end of a process that was killed."""
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
