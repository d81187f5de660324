"""One engine: fixes one by one and all at once give the same; distances are shapely's; progress never goes back."""

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, box

from flights.conformance import STATES, Fix, Fixes, Judge, Monitor, Plane, Reason, RouteShape, Thread
from geo.types import LonLat

DEGREE_M = 111_000.0
CORNERS = st.tuples(st.integers(-9, 9), st.integers(-9, 9))


@st.composite
def routes(draw):
    corners = draw(st.lists(CORNERS, min_size=2, max_size=8, unique=True))
    # Some are flown twice, some go back the way they came: the same places, to be told apart by progress alone.
    corners = corners + draw(st.sampled_from([[], corners[-2::-1], corners]))
    line = LineString([(113.27 + x * 5e-4, 23.12 + y * 5e-4) for x, y in corners])
    window = draw(st.sampled_from([None, (1.7e9 + 20, 1.7e9 + 60)]))
    area = draw(st.sampled_from([box(113.266, 23.117, 113.274, 23.123), box(113.26, 23.11, 113.28, 23.13)]))
    return RouteShape(line, area, 100.0, LonLat(113.27, 23.117), window_s=window, speed_m_s=10.0)


@st.composite
def tracks(draw, route):
    """A flight along the route with noise, pauses, jumps, detours and ways that are not on the route."""
    seed, step_s = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.1, 1.0, 3.0]))
    random = np.random.default_rng(seed)
    noise_m, wild = draw(st.sampled_from([0.5, 15.0, 40.0])), draw(st.floats(0, 0.1))
    count = draw(st.integers(1, 300))
    paces = random.choice([0.0, 10.0, -15.0, 40.0], size=count, p=[0.1, 0.8, 0.07, 0.03]) * step_s
    along = np.cumsum(paces) / DEGREE_M
    places = shapely.get_coordinates(shapely.line_interpolate_point(route.line, np.clip(along, 0, None)))
    places += random.normal(0, noise_m / DEGREE_M, places.shape)
    jumps = random.random(count) < wild
    places[jumps] += random.normal(0, 0.003, (int(jumps.sum()), 2))
    times = np.cumsum(random.choice([1.0, 1.0, 1.0, 0.0, 6.0, 25.0], size=count, p=[0.4, 0.3, 0.25, 0.02, 0.02, 0.01]))
    height = 100 + random.normal(0, 20, count)
    height[random.random(count) < 0.05] = np.nan
    on_route = random.random(count) > 0.05
    return [
        Fix(float(t) * step_s, float(lon), float(lat), float(alt), 10.0, bool(on), 1.7e9 + float(t))
        for t, (lon, lat), alt, on in zip(times, places, height, on_route, strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_engine__fix_by_fix_and_all_at_once__same_states_and_numbers(data):
    route = data.draw(routes())
    judge, fixes = Judge(route, 30.0), data.draw(tracks(route))
    batch = judge.columns(Fixes.of(fixes), Thread())
    monitor = Monitor(judge)
    standings = [monitor.take(fix) for fix in fixes]
    lived = [standing for standing in standings if standing.reasons != ("implausible",)]
    assert len(lived) == len(batch.fixes)
    assert [one.state for one in lived] == [STATES[code] for code in batch.state]
    assert [one.reasons for one in lived] == [Reason(int(flags)).words() for flags in batch.reasons]
    np.testing.assert_allclose([one.along_m for one in lived], batch.along_m, rtol=0, atol=1e-6)
    np.testing.assert_allclose([one.cross_track_m for one in lived], batch.cross_track_m, rtol=0, atol=1e-6)
    heights = [np.nan if one.height_off_m is None else one.height_off_m for one in lived]
    np.testing.assert_array_equal(heights, batch.height_off_m)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_engine__split_anywhere__same_as_whole(data):
    route = data.draw(routes())
    judge, fixes = Judge(route, 30.0), Fixes.of(data.draw(tracks(route)))
    cut = data.draw(st.integers(0, len(fixes)))
    whole, thread = judge.columns(fixes, Thread()), Thread()
    parts = [judge.columns(fixes[:cut], thread), judge.columns(fixes[cut:], thread)]
    for name in ("along_m", "cross_track_m", "reasons", "state"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_allclose(joined, getattr(whole, name), rtol=0, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_cross_track__never_less_than_the_true_distance_and_equal_beyond_the_tolerance(data):
    route = data.draw(routes())
    judge, fixes = Judge(route, 30.0), data.draw(tracks(route))
    judged = judge.columns(Fixes.of(fixes), Thread())
    plane = Plane(route.line)
    on = judged.fixes.on_route
    true_m = shapely.distance(plane.points(judged.fixes.lon, judged.fixes.lat), plane.geometry(route.line))
    assert (judged.cross_track_m[on] >= true_m[on] - 1e-6).all()
    beyond = on & (judged.cross_track_m > 30.0)
    np.testing.assert_allclose(judged.cross_track_m[beyond], true_m[beyond], rtol=0, atol=1e-3)
    report = judge.judge(fixes)
    assert 0 <= report.share_flown <= 1 + 1e-9
    assert 0 <= report.share_conforming <= 1 + 1e-9
