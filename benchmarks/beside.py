"""Measurements in a process of their own, on an empty database."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contender import ROOT, Contender


def output_of(module: str, ours: Contender) -> str:
    """Return what a module prints when it is run in the surroundings of our server."""
    with TemporaryDirectory(prefix="clew-benchmark-") as directory:
        done = subprocess.run(  # noqa: S603  (a module of ours)
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=ours.surroundings(Path(directory)),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout
