"""Stretches in which nobody listened: what comes after them is judged in turn, live and afterwards alike."""

import pytest

from flights.conformance import Judge, Monitor, State
from tests.unit.flights.test_conformance import R1, fix


@pytest.fixture(scope="module")
def judge():
    return Judge(R1, 30.0)


def on_the_way(until_s=10):
    return [fix(float(n), 113.2550, 23.1240 + 1e-4 * n, on_route=False) for n in range(until_s)]


def on_the_line(at_s, lon, count=20):
    return [fix(at_s + n, lon + 1e-4 * n) for n in range(count)]


def test_gap__on_the_way_to_the_route__the_first_fix_on_it_is_in_turn(judge):
    """The line was silent while the aircraft reached its route and flew 900 m along it."""
    track = [*on_the_way(), *on_the_line(109.0, 113.2638)]
    monitor = Monitor(judge)
    standings = [monitor.take(one) for one in track]
    assert not any(standing.reasons for standing in standings)
    assert judge.judge(track).excursions == ()


def test_gap__item_told_later_than_the_place__still_in_turn(judge):
    """Positions come more often than the item that is flown: after a gap the first ones still name the old item."""
    late = [fix(109.0 + n, 113.2638 + 1e-4 * n, on_route=False) for n in range(2)]
    track = [*on_the_way(), *late, *on_the_line(111.0, 113.2640)]
    monitor = Monitor(judge)
    assert [monitor.take(one) for one in track][-1].reasons == ()
    assert judge.judge(track).excursions == ()


def test_gap__on_the_way__further_than_it_can_have_flown__is_another_leg(judge):
    track = [*on_the_way(), *on_the_line(40.0, 113.2800)]
    monitor = Monitor(judge)
    assert [monitor.take(one) for one in track][-1].reasons == ("leg",)


def test_gap__of_the_gateway__taken_up_where_it_was_seen(judge):
    """Another process goes on judging: it knows how far the aircraft had come, and when."""
    fresh = Monitor(judge, along_m=500.0, seen_s=100.0)
    first = fresh.take(fix(220.0, 113.2700))
    assert (first.reasons, first.state) == ((), State.ACTIVATED)
    assert first.along_m == pytest.approx(1537, abs=2)
