"""The air that flights need: corridors, bands of true heights and times, and what two of them share."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate
from shapely.geometry import LineString, Point, box

from flights.air.volumes import COLUMN, Spacing, duration, meet, occupied, overlaps
from flights.mission import RouteSpec, compile_route
from flights.path.profile import profile
from geo import crs, measure
from geo.types import LonLat
from schemas.refusals import RuleViolation
from schemas.rules import Rulebook
from tests.missions import SPEED_M_S, TRIGGER_M, FlatGround

BOOK = Rulebook.load()
SPACING = Spacing.of(BOOK["cn-gd-2025"])
START = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)
WINDOW = START, START + timedelta(minutes=40)
R1 = LineString([(113.2550, 23.1250), (113.2850, 23.1250)])
HOME = LonLat(113.2545, 23.1250)


class Unknown:
    def heights_m(self, lons, lats):
        return np.full(np.shape(lons), np.nan)


class Slope:
    """Ground that rises by one metre in a hundred to the east."""

    def heights_m(self, lons, lats):
        return 12.0 + (np.asarray(lons) - 113.25) * 1_000.0


def path(line=R1, home=HOME, alt_m=100.0, ground=None):
    ground = ground or FlatGround()
    return profile(compile_route(RouteSpec(line, alt_m, home, SPEED_M_S, TRIGGER_M), ground).plan, ground)


def air(line=R1, home=HOME, alt_m=100.0, window=WINDOW, flight="FL-1", ground=None):
    return occupied(path(line, home, alt_m, ground), window, speed_m_s=SPEED_M_S, spacing=SPACING, flight=flight)


def crossing():
    """A route across the middle of R1, with its home at its southern end."""
    return LineString([(113.27, 23.1215), (113.27, 23.1285)]), LonLat(113.27, 23.1210)


def shifted(minutes, length=40):
    start = START + timedelta(minutes=minutes)
    return start, start + timedelta(minutes=length)


class TestWhere:
    def test_DC_2__every_place_within_tolerance_and_margin_is_held(self):
        held = shapely.union_all([volume.geom for volume in air()])
        epsg = crs.utm_epsg_of(R1)
        corridor = crs.to_wgs84(crs.to_metric(path().line(), epsg).buffer(SPACING.lateral_m, quad_segs=64), epsg)
        assert SPACING.lateral_m == 50.0
        assert held.buffer(1e-9).covers(corridor)
        # And hardly more: a metre at the most.
        wider = crs.to_wgs84(crs.to_metric(path().line(), epsg).buffer(SPACING.lateral_m + 1.0, quad_segs=64), epsg)
        assert wider.covers(held)

    def test_DC_2__heights_are_true_heights__over_a_slope_too(self):
        for volume in air(ground=Slope()):
            if volume.part == "route":
                assert 100 - 35 - 6 <= volume.alt_agl_min_m <= 100 - 35 + 6
                assert 100 + 35 - 6 <= volume.alt_agl_max_m <= 100 + 35 + 6

    def test_DC_2__take_off_place__held_from_the_ground_up_for_the_whole_window(self):
        (column,) = [volume for volume in air() if volume.part == COLUMN]
        assert (column.alt_agl_min_m, column.alt_agl_max_m) == (0.0, 135.0)
        assert column.start < WINDOW[0] < WINDOW[1] < column.end
        assert column.geom.contains(Point(HOME))

    def test_GD_16_2__height_not_known__refused(self):
        plan = compile_route(RouteSpec(R1, 100.0, HOME, SPEED_M_S, TRIGGER_M), FlatGround()).plan
        with pytest.raises(RuleViolation) as caught:
            occupied(profile(plan, Unknown()), WINDOW, speed_m_s=SPEED_M_S, spacing=SPACING)
        assert {refusal.rule for refusal in caught.value.refusals} == {"GD-16.2"}

    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(st.tuples(st.floats(0.001, 0.02), st.floats(-0.01, 0.01)), min_size=1, max_size=6),
        st.floats(60, 120),
        st.integers(0, 90),
    )
    def test_DC_2__any_route__its_line_lies_in_its_air_at_its_height_and_time(self, steps, alt_m, minutes):
        corners = [(113.20, 23.10)]
        for east, north in steps:
            corners.append((corners[-1][0] + east, min(max(corners[-1][1] + north, 23.0), 23.2)))
        line = LineString(corners)
        flown = path(line, LonLat(113.1995, 23.10), alt_m)
        held = occupied(flown, shifted(0, max(minutes, 1)), speed_m_s=SPEED_M_S, spacing=SPACING)
        assert shapely.union_all([v.geom for v in held]).covers(line)
        for track in flown.tracks:
            for lon, lat, height_m in zip(track.lons[::20], track.lats[::20], track.alt_agl_m[::20], strict=True):
                here = [v for v in held if v.geom.covers(Point(lon, lat))]
                assert any(v.alt_agl_min_m <= height_m <= v.alt_agl_max_m for v in here)
        assert all(v.start < v.end for v in held)


class TestWhen:
    def test_DC_2__free_start__held_until_the_latest_at_which_the_rest_fits_in(self):
        whole_s = path().flown_m / (SPEED_M_S * 1.2)
        legs = [volume for volume in air() if volume.part != COLUMN]
        assert legs[0].start == START - timedelta(seconds=5)
        assert (legs[-1].end - WINDOW[1]).total_seconds() == pytest.approx(5, abs=0.001)
        assert (WINDOW[1] - legs[0].end).total_seconds() > whole_s * 0.9

    def test_DC_2__tight_window__a_place_is_held_only_around_its_time(self):
        takes = duration(path(), speed_m_s=SPEED_M_S)
        window = START, START + takes
        middle = next(volume for volume in air(window=window) if volume.geom.contains(Point(113.27, 23.125)))
        assert (middle.end - middle.start) < takes * 0.75

    def test_DC_2__window_shorter_than_the_way__held_as_long_as_the_slowest_takes(self):
        slowest = duration(path(), speed_m_s=SPEED_M_S, slower=0.2)
        column = next(volume for volume in air(window=shifted(0, 1)) if volume.part == COLUMN)
        assert column.end - START == slowest + timedelta(seconds=5)

    def test_DC_2__way_flown_twice__held_for_the_whole_window(self):
        from flights.model import Command, Home, Plan, PlanItem

        there = compile_route(RouteSpec(R1, 100.0, HOME, SPEED_M_S, TRIGGER_M), FlatGround()).items
        items = (*there[:-1], PlanItem(Command.DO_JUMP, params=(2.0, 1.0, 0.0, 0.0)), there[-1])
        again = profile(Plan(items, Home(HOME)), FlatGround())
        held = occupied(again, WINDOW, speed_m_s=SPEED_M_S, spacing=SPACING)
        assert len({(volume.start, volume.end) for volume in held}) == 1


class TestConflict:
    def test_DC_2__same_route_same_time__told_with_place_heights_and_times(self):
        (found,) = overlaps(air(), air(flight="FL-2"))
        assert found.flight == "FL-2"
        assert found.area_m2 == pytest.approx(measure.area_m2(shapely.union_all([v.geom for v in air()])), rel=0.01)
        assert (found.alt_agl_min_m, found.alt_agl_max_m) == (0.0, 135.0)
        assert found.place["type"] in ("Polygon", "MultiPolygon")

    def test_DC_2__crossing_routes__meet_at_the_crossing_alone(self):
        line, home = crossing()
        (found,) = overlaps(air(), air(line, home, flight="FL-2"))
        assert found.geom.centroid.distance(Point(113.27, 23.125)) < 1e-4
        assert found.area_m2 == pytest.approx(100 * 100, rel=0.02)

    @pytest.mark.parametrize("apart_m", [99.0, 101.0])
    def test_DC_2__parallel_routes__apart_by_both_corridors(self, apart_m):
        north = apart_m / 110_754
        line = translate(R1, 0.0, north)
        beside = air(line, LonLat(HOME.lon, HOME.lat + north), flight="FL-2")
        assert bool(overlaps(air(), beside)) == (apart_m < 100)

    def test_DC_2__boxes_that_cross_and_corridors_that_do_not__free(self):
        """The case that bounding boxes refuse: one diagonal beside another."""
        one = LineString([(113.25, 23.12), (113.28, 23.15)])
        other = LineString([(113.255, 23.12), (113.285, 23.15)])
        first, second = air(one, LonLat(113.2495, 23.1195)), air(other, LonLat(113.2545, 23.1195), flight="FL-2")
        assert box(*one.bounds).intersects(box(*other.bounds))
        assert overlaps(first, second) == []

    @pytest.mark.parametrize(("above_m", "meets"), [(69.0, True), (71.0, False)])
    def test_DC_2__crossing_at_another_height(self, above_m, meets):
        line, home = crossing()
        assert bool(overlaps(air(alt_m=60), air(line, home, alt_m=60 + above_m, flight="FL-2"))) == meets

    @pytest.mark.parametrize(("minutes", "meets"), [(39, True), (41, False)])
    def test_DC_2__one_after_the_other(self, minutes, meets):
        assert bool(overlaps(air(), air(window=shifted(minutes), flight="FL-2"))) == meets

    @settings(max_examples=40, deadline=None)
    @given(st.integers(-60, 60), st.floats(-0.004, 0.004), st.floats(60, 240))
    def test_DC_2__meeting_is_mutual(self, minutes, north, alt_m):
        line = translate(R1, 0.0, north)
        other = air(line, LonLat(HOME.lon, HOME.lat + north), alt_m, shifted(minutes), "FL-2")
        mine = air()
        assert bool(overlaps(mine, other)) == bool(overlaps(other, mine))
        assert all(meet(a, b) == meet(b, a) for a in mine[:4] for b in other[:4])
