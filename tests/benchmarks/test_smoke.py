"""The benchmarks run; what they measure is for `make bench`."""

import pytest

from benchmarks.catalogue import chosen
from benchmarks.workloads import limits, stalls
from benchmarks.workloads.fanout import Pace, measure, report

pytestmark = pytest.mark.alone


def test_an_event_is_measured_beside_the_limit() -> None:
    pace = Pace(rounds=1, seconds=0.1, warm_up=0.1)
    results = measure(chosen(["limit-uvicorn", "ours"]), 20, pace=pace)
    limit, ours = (result.cpu[0] for result in results)
    assert 0 < limit < ours
    assert "limit-uvicorn" in report(results, "One event")


def test_stalls_are_measured() -> None:
    [ours] = chosen(["ours"])
    measured = stalls.measure(ours, 20, rounds=1)
    assert set(measured.longest) == {"all subscribe", "an event", "a broadcast", "all leave"}
    assert "an event" in stalls.report([measured], "Stalls")


def test_the_limits_bound_what_an_operation_costs() -> None:
    """docs/security.md says so."""
    [ours] = chosen(["ours"])
    figures = limits.measure(ours)
    assert 0 < max(figures["accepted"].values()) <= 0.25
    # Beside each other, since the machine may be slow: they were 15 to 25 ms and 140.
    assert 0 < max(figures["rejected"].values()) <= max(figures["accepted"].values()) / 3
    assert "1 MB of variables" in limits.report(figures["rejected"], "What they reject")
