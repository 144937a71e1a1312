"""What the limits on operations admit, and what it costs to reject: a process of its own."""

import json
from dataclasses import replace

from benchmarks.beside import output_of
from benchmarks.contender import Contender
from benchmarks.tables import number, table

Figures = dict[str, float]
"""Seconds of CPU, by operation."""

TITLES = {
    "accepted": "The most that the limits admit",
    "rejected": "What they reject",
}


_DEFAULTS = {"DJANGO_SETTINGS_MODULE": "django_project.settings", "CLEW_OPERATION_RATE": "0"}


def measure(ours: Contender) -> dict[str, Figures]:
    """Return the figures of what is accepted and of what is rejected, by the limits' defaults."""
    ours = replace(ours, environment={**ours.environment, **_DEFAULTS})
    figures: dict[str, Figures] = json.loads(output_of("benchmarks.ours.limits", ours))
    return figures


def report(figures: Figures, title: str) -> str:
    """Return a table, the dearest first."""
    dearest = sorted(figures.items(), key=lambda item: -item[1])
    rows = [[name, number(seconds * 1e3)] for name, seconds in dearest]
    return table(title, ("operation", "CPU, ms"), rows)
