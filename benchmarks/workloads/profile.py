"""Where the time of `createMessage` goes: a process of its own that profiles the application."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contender import ROOT, Contender


def profile(ours: Contender) -> str:
    """Return the table."""
    with TemporaryDirectory(prefix="clew-profile-") as directory:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.ours.profile"],
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
