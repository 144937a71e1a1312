"""What the operating system says of a process, and what it lets one do. Linux alone."""

import os
import resource
import time
from functools import cache
from pathlib import Path

CONNECTIONS = 120_000
"""Files that the client may hold: eleven servers with 10,000 connections each."""

_OTHER_FILES = 500
_PAGE = resource.getpagesize()


@cache
def cores() -> tuple[int, int]:
    """Return the core of the servers and that of the client: two, where there are two.

    As they were when it was first called: `pin` leaves one.
    """
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def pin(cores: set[int]) -> None:
    """Keep this process, and what it starts from now on, to these cores."""
    os.sched_setaffinity(0, cores)


def allow_connections() -> None:
    """Raise the limit on open files as far as the system lets us; servers inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(hard, CONNECTIONS), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        except (ValueError, OSError):
            continue  # only root may raise the hard limit
        return


def connections() -> int:
    """Return how many connections this process may hold."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _OTHER_FILES


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, that a process has used in all its threads."""
    # clock_getcpuclockid(3) in the C library: /proc/<pid>/stat, but in nanoseconds, not in ticks.
    return time.clock_gettime((~pid << 3) | 2)


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has resident."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def peak(pid: int) -> int:
    """Return the most bytes that a process had resident since its peak was forgotten."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def forget_peak(pid: int) -> None:
    """Have the peak of a process begin at what it has resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
