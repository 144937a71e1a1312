"""Where the time of `createMessage` goes: a process of its own that profiles the application."""

from benchmarks.beside import output_of
from benchmarks.contender import Contender


def profile(ours: Contender) -> str:
    """Return the table."""
    return output_of("benchmarks.ours.profile", ours)
