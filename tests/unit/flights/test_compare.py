"""Records of one flight laid over each other."""

import numpy as np

from flights.logs.compare import TrackLine, compare


def line(name, start_s=1_000.0, count=200, alt_m=100.0):
    t = start_s + np.arange(count, dtype=float)
    lon = 113.255 + 1e-4 * np.arange(count)
    return TrackLine(name, t, lon, np.full(count, 23.125), np.full(count, alt_m), np.ones(count, np.int8))


def test_compare__the_same_flight__agrees():
    found = compare(line("live"), line("bin"))
    assert found.agree
    assert (found.lost, found.clock_offset_s) == (0, 0.0)


def test_compare__no_time_in_common__never_agrees():
    """A log without a time of day, or of another day, says nothing about this flight: not that all is well."""
    found = compare(line("live"), line("bin", start_s=1e9))
    assert not found.agree
    assert min(found.samples) == 0
