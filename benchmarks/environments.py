"""The peers' own environments: virtual ones under build/bench, node_modules beside each server."""

import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from benchmarks.contender import BUILD, ROOT

PEERS = ROOT / "benchmarks" / "peers"


class SetUpError(Exception):
    """An environment could not be made; the message says why."""


def python_of(peer: str) -> Path:
    """Return the interpreter of a peer, there or not."""
    return BUILD / peer / "bin" / "python"


def set_up(peer: str) -> None:
    """Install what a peer needs, unless it is installed."""
    folder = PEERS / peer
    if not peer:
        return
    if (folder / "requirements.txt").exists():
        _once(folder / "requirements.txt", BUILD / peer, _install_python)
    elif (folder / "package-lock.json").exists():
        _once(folder / "package-lock.json", folder / "node_modules", _install_node)


def node() -> str:
    """Return Node.js; raises SetUpError where there is none."""
    if (found := shutil.which("node")) is None:
        raise SetUpError("Node.js was not found: leave its servers out with --servers")
    return found


def _install_python(lock: Path, target: Path) -> None:
    venv.create(target, clear=True, with_pip=True)
    pip = (target / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet")
    _run(*pip, "install", "--requirement", lock, cwd=ROOT)


def _install_node(lock: Path, target: Path) -> None:
    node()
    _run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=target.parent)


def _once(lock: Path, target: Path, install: Callable[[Path, Path], None]) -> None:
    # Inside of what is installed, so that it goes with it.
    mark, digest = target / ".installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == digest:
        return
    sys.stderr.write(f"Installing {lock.parent.name} …\n")
    install(lock, target)
    mark.write_text(digest)


def _run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(  # noqa: S603  (pip and npm)
        command, cwd=cwd, capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode != 0:
        raise SetUpError(done.stdout + done.stderr)
