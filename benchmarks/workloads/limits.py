"""What the limits on operations admit, and what it costs to reject: a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contender import ROOT, Contender
from benchmarks.tables import number, table

Figures = dict[str, float]
"""Seconds of CPU, by operation."""

TITLES = {
    "accepted": "The most that the limits admit",
    "rejected": "What they reject",
}


def measure(ours: Contender) -> dict[str, Figures]:
    """Return the figures of what is accepted and of what is rejected."""
    with TemporaryDirectory(prefix="clew-limits-") as directory:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.ours.limits"],
            cwd=ROOT,
            env=ours.surroundings(Path(directory)),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    figures: dict[str, Figures] = json.loads(done.stdout)
    return figures


def report(figures: Figures, title: str) -> str:
    """Return a table, the dearest first."""
    dearest = sorted(figures.items(), key=lambda item: -item[1])
    rows = [[name, number(seconds * 1e3)] for name, seconds in dearest]
    return table(title, ("operation", "CPU, ms"), rows)
