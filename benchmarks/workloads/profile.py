"""Where the time of `createMessage` goes: a process of its own that profiles the application."""

import os
import subprocess
import sys
from tempfile import TemporaryDirectory

from benchmarks.contender import ROOT, Contender


def profile(ours: Contender) -> str:
    """Return the table."""
    with TemporaryDirectory(prefix="clew-profile-") as directory:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": directory,
            "LC_ALL": "C.UTF-8",
            "DATABASE_URL": f"sqlite:///{directory}/db.sqlite3",
            **ours.environment,
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.ours.profile"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout
