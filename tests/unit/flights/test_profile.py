"""A plan followed leg by leg, as the aircraft would follow it."""

import numpy as np
import pytest
from shapely.geometry import Point

from flights.model import Command, Frame, Home, LonLat, Plan, PlanItem
from flights.path.profile import STEP_M, profile
from flights.path.spline import curve
from flights.path.track import LegKind
from flights.path.walk import walk
from geo import measure
from geo.footprint import Camera
from schemas.refusals import RuleViolation
from tests.missions import FlatGround

HOME = Home(LonLat(113.25, 23.12), 12.0)
A, B, C = LonLat(113.25, 23.125), LonLat(113.26, 23.125), LonLat(113.26, 23.13)


class Ramp:
    """Ground that rises by 100 m for each hundredth of a degree to the east."""

    def heights_m(self, lons, lats):
        return (np.asarray(lons) - 113.25) * 10_000.0


def to(at, alt_m=50.0, frame=Frame.GLOBAL_RELATIVE_ALT, command=Command.NAV_WAYPOINT, p=(0.0, 0.0, 0.0, 0.0)):
    return PlanItem(command, frame, p, at, alt_m)


def do(command, *params):
    return PlanItem(command, params=(*params, *[0.0] * (4 - len(params))))


def path(*items, home=HOME, ground=None):
    return profile(Plan(tuple(items), home), ground or FlatGround())


RTL = do(Command.NAV_RETURN_TO_LAUNCH)
TAKEOFF = to(HOME.at, 50.0, command=Command.NAV_TAKEOFF)


class TestLegs:
    def test_plain_mission__transit_route_return(self):
        kinds = [t.kind for t in path(TAKEOFF, to(A), to(B), to(C), RTL).tracks]
        assert kinds == [LegKind.TRANSIT, LegKind.ROUTE, LegKind.ROUTE, LegKind.RETURN]

    def test_samples__never_further_apart_than_the_step(self):
        for track in path(TAKEOFF, to(A), to(C), RTL).tracks:
            _, _, gaps = measure.WGS84.inv(track.lons[:-1], track.lats[:-1], track.lons[1:], track.lats[1:])
            assert max(gaps) <= STEP_M + 1e-6

    def test_camera_switched__the_route_is_where_it_is_on(self):
        on, off = do(Command.DO_SET_CAM_TRIGG_DIST, 25.0), do(Command.DO_SET_CAM_TRIGG_DIST, 0.0)
        kinds = [t.kind for t in path(TAKEOFF, to(A), on, to(B), off, to(C), RTL).tracks]
        assert kinds == [LegKind.TRANSIT, LegKind.ROUTE, LegKind.RETURN, LegKind.RETURN]

    @pytest.mark.parametrize("start", [Command.VIDEO_START_CAPTURE, Command.DO_SET_CAM_TRIGG_DIST])
    def test_camera_never_switched_off__the_way_back_is_no_part_of_the_route(self, start):
        kinds = [t.kind for t in path(TAKEOFF, to(A), do(start, 25.0), to(B), to(C), RTL).tracks]
        assert kinds == [LegKind.TRANSIT, LegKind.ROUTE, LegKind.ROUTE, LegKind.RETURN]

    def test_single_photos_at_waypoints__the_route_is_what_it_is_without_them(self):
        photo = do(Command.IMAGE_START_CAPTURE, 0.0, 0.0, 1.0)
        plain, photographed = (
            path(TAKEOFF, to(A), to(B), to(C), RTL),
            path(TAKEOFF, to(A), photo, to(B), photo, to(C), RTL),
        )
        assert [t.kind for t in photographed.tracks] == [t.kind for t in plain.tracks]

    def test_no_return_in_the_plan__one_is_assumed_and_said(self):
        found = path(TAKEOFF, to(A), to(B))
        assert found.tracks[-1].kind is LegKind.RETURN
        assert "return" in {a.name for a in found.assumed}

    def test_landing_elsewhere__no_return_leg(self):
        found = path(TAKEOFF, to(A), to(B), to(C, 0.0, command=Command.NAV_LAND))
        assert found.tracks[-1].line.coords[-1] == C

    def test_take_off_away_from_home__both_ways_are_checked(self):
        aside = to(LonLat(113.251, 23.12), 50.0, command=Command.NAV_TAKEOFF)
        ends = [(t.line.coords[0], t.line.coords[-1]) for t in path(aside, to(A), to(B), RTL).tracks]
        assert (tuple(HOME.at), tuple(A)) in ends
        assert (tuple(HOME.at), tuple(aside.at)) in ends

    def test_circle__outside_of_it_is_covered(self):
        circle = to(B, command=Command.NAV_LOITER_TURNS, p=(3.0, 0.0, 80.0, 0.0))
        found = path(TAKEOFF, to(A), circle, RTL)
        furthest = max(measure.distance_m(B, LonLat(*c)) for t in found.tracks[2:3] for c in t.line.coords)
        assert furthest == pytest.approx(80, rel=0.01)
        assert found.route_m > 3 * 2 * 3.14 * 80

    def test_jump__legs_count_every_pass_and_are_sampled_once(self):
        loop = do(Command.DO_JUMP, 2.0, 2.0)
        once, thrice = path(TAKEOFF, to(A), to(B), RTL), path(TAKEOFF, to(A), to(B), loop, RTL)
        leg_m = measure.distance_m(A, B)
        assert thrice.route_m == pytest.approx(once.route_m + 4 * leg_m)
        assert len(thrice.tracks) == len(once.tracks) + 1

    def test_spline__curve_and_chord_are_both_covered(self):
        curved = [to(p, command=Command.NAV_SPLINE_WAYPOINT) for p in (A, B, C)]
        found = path(TAKEOFF, *curved, RTL)
        middle = Point((A.lon + B.lon) / 2, A.lat)
        distances = sorted(t.line.distance(middle) for t in found.tracks)
        assert distances[0] < 1e-9
        assert any(len(t.line.coords) > 2 and not t.straight for t in found.tracks)

    def test_position_0_0__means_here(self):
        found = path(TAKEOFF, to(A), to(None, 0.0), to(B), RTL)
        assert len(found.tracks) == 3
        assert ("height_kept", "3") in [(a.name, a.value) for a in found.assumed]

    @pytest.mark.parametrize(
        ("items", "rule"),
        [
            ((TAKEOFF, to(A), do(Command.DO_JUMP, 2.0, -1.0)), "plan.endless"),
            ((TAKEOFF, to(A), do(Command.DO_JUMP, 2.0, 1e6)), "plan.endless"),
            ((TAKEOFF, to(A, command=Command.NAV_LOITER_UNLIM)), "plan.endless"),
            ((TAKEOFF, to(A), RTL, to(B)), "plan.after_landing"),
            ((TAKEOFF, to(HOME.at), RTL), "plan.no_way"),
            ((TAKEOFF, to(LonLat(120.0, 30.0)), RTL), "plan.too_long"),
            ((TAKEOFF, to(LonLat(-70.0, 23.0)), RTL), "geometry.antimeridian"),
        ],
    )
    def test_plan_without_an_end_or_a_way__refused(self, items, rule):
        with pytest.raises(RuleViolation) as caught:
            path(*items)
        assert caught.value.refusals[0].rule == rule


class TestHeights:
    def heights(self, frame, alt_m=50.0):
        found = path(TAKEOFF, to(A), to(B, alt_m, frame), RTL, ground=Ramp())
        return found.tracks[1].alt_agl_m

    def test_above_home__true_height_falls_as_the_ground_rises(self):
        agl = self.heights(Frame.GLOBAL_RELATIVE_ALT)
        assert agl[0] == pytest.approx(50)
        assert agl[-1] == pytest.approx(-50)

    def test_above_sea__true_height_is_the_difference(self):
        assert self.heights(Frame.GLOBAL, 180.0)[-1] == pytest.approx(80)

    def test_above_terrain__true_height_is_kept_along_the_leg(self):
        agl = self.heights(Frame.GLOBAL_TERRAIN_ALT)
        assert np.allclose(agl, 50.0)

    def test_autopilots_own_return__keeps_its_altitude_above_the_sea(self):
        high = to(B, 50.0, Frame.GLOBAL_TERRAIN_ALT)
        back = path(TAKEOFF, to(A), high, RTL, ground=Ramp()).tracks[-1].alt_agl_m
        assert back[-1] == pytest.approx(150)

    def test_planned_return__follows_the_terrain(self):
        high = to(B, 50.0, Frame.GLOBAL_TERRAIN_ALT)
        back = path(TAKEOFF, to(A), high, ground=Ramp()).tracks[-1].alt_agl_m
        assert np.allclose(back, 50.0)

    def test_missing_height__known_as_missing(self):
        found = path(TAKEOFF, to(A), to(B, None), RTL)
        assert found.missing == (3,)
        assert not found.heights_known


class TestOnTheSpot:
    def test_climb_between_two_waypoints_of_one_place__its_height_counts(self):
        found = path(TAKEOFF, to(A), to(A, 300.0), to(A), to(B), RTL)
        assert max(float(track.alt_agl_m.max()) for track in found.tracks) == pytest.approx(300)
        assert found.flown_m == pytest.approx(path(TAKEOFF, to(A), to(B), RTL).flown_m, abs=0.1)

    def test_climb_on_the_spot__takes_its_time(self):
        level, climbing = path(TAKEOFF, to(A), to(B), RTL), path(TAKEOFF, to(A), to(A, 300.0), to(A), to(B), RTL)
        assert climbing.duration_s(10.0) - level.duration_s(10.0) == pytest.approx(2 * 250 / 2, abs=0.1)

    def test_descent_on_the_spot__counts_as_well(self):
        found = path(TAKEOFF, to(A), to(A, 3.0), to(A), to(B), RTL)
        assert min(float(track.alt_agl_m.min()) for track in found.tracks) == pytest.approx(3)

    def test_nothing_but_a_climb__leads_nowhere(self):
        with pytest.raises(RuleViolation) as caught:
            path(TAKEOFF, to(HOME.at, 90.0), RTL)
        assert caught.value.refusals[0].rule == "plan.no_way"


class TestLooks:
    def test_camera_pointed__stays_so_on_the_way_home(self):
        tilt = do(Command.DO_MOUNT_CONTROL, -45.0, 0.0, 0.0)
        for end in ((RTL,), ()):
            found = path(TAKEOFF, to(A), tilt, to(B), *end)
            assert found.tracks[-1].kind is LegKind.RETURN
            assert found.tracks[-1].look.pitch_deg == -45

    def test_camera_pointed_behind_the_last_waypoint__looks_so_on_the_way_home(self):
        found = path(TAKEOFF, to(A), to(B), do(Command.DO_MOUNT_CONTROL, -45.0, 0.0, 0.0), RTL)
        assert [track.look.pitch_deg for track in found.tracks] == [-90, -90, -45]

    @pytest.mark.parametrize("condition", [Command.CONDITION_DELAY, Command.CONDITION_DISTANCE])
    @pytest.mark.parametrize("waiting", [Command.DO_MOUNT_CONTROL, Command.DO_SET_ROI_NONE, Command.DO_CHANGE_SPEED])
    def test_look_or_speed_behind_a_condition__refused_with_both_names(self, condition, waiting):
        with pytest.raises(RuleViolation) as caught:
            path(TAKEOFF, to(A), do(condition, 20.0), do(waiting, 1.0), to(B), RTL)
        refusal = caught.value.refusals[0]
        assert refusal.rule == "plan.condition"
        for lang in ("en", "zh"):
            assert condition.mavlink_name in refusal.message(lang)
            assert waiting.mavlink_name in refusal.message(lang)

    def test_look_at_the_next_waypoint__waits_for_no_condition_of_the_leg_before(self):
        found = path(TAKEOFF, to(A), do(Command.CONDITION_DELAY, 20.0), to(B), do(Command.DO_MOUNT_CONTROL, -45.0), RTL)
        assert found.tracks[-1].look.pitch_deg == -45


class TestTime:
    def test_duration__commanded_speed_and_waits_count(self):
        slow = do(Command.DO_CHANGE_SPEED, 1.0, 2.0)
        wait = do(Command.NAV_DELAY, 30.0)
        found = path(TAKEOFF, to(A, p=(5.0, 0.0, 0.0, 0.0)), slow, to(B), wait, RTL)
        out_m, along_m = measure.distance_m(HOME.at, A), measure.distance_m(A, B)
        back_m = measure.distance_m(B, HOME.at)
        assert found.duration_s(10.0) == pytest.approx(out_m / 10 + (along_m + back_m) / 2 + 35)

    def test_wait_before_take_off__counts(self):
        waiting = path(do(Command.NAV_DELAY, 600.0), TAKEOFF, to(A), RTL)
        assert waiting.duration_s(10.0) - path(TAKEOFF, to(A), RTL).duration_s(10.0) == pytest.approx(600)
        assert waiting.times_s(10.0)[0][0] == pytest.approx(600), "and nobody is anywhere before"

    def test_walk__has_no_speed_where_the_plan_gives_none(self):
        assert {stop.speed_mps for stop in walk(Plan((TAKEOFF, to(A)), HOME)).stops} == {None}


class TestFootprint:
    CAMERA = Camera(70.0, 55.0)

    def half_width_m(self, found, at):
        """How far to the north the footprint reaches from a place, at a height of 50 m."""
        seen = found.footprint(self.CAMERA)
        reached = [d for d in range(1, 120) if seen.covers(Point(measure.WGS84.fwd(at.lon, at.lat, 0.0, d)[:2]))]
        return max(reached)

    def test_nose_along_the_leg__half_the_width_to_the_side(self):
        there = LonLat(A.lon + (B.lon - A.lon) / 4, A.lat)
        assert self.half_width_m(path(TAKEOFF, to(A), to(B), to(C), RTL), there) == pytest.approx(35, abs=1)

    def test_nose_turned_by_the_plan__the_corner_of_the_frame_may_point_to_the_side(self):
        there = LonLat(A.lon + (B.lon - A.lon) / 4, A.lat)
        turned = path(TAKEOFF, to(A), do(Command.CONDITION_YAW, 45.0), to(B), to(C), RTL)
        assert self.half_width_m(turned, there) == pytest.approx(50 * np.hypot(0.700, 0.5206), abs=1)

    @pytest.mark.parametrize(("every_m", "reach_m"), [(25.0, 43.6), (0.0, 35.0)])
    def test_return_that_is_photographed__the_nose_does_not_turn_round_for_it(self, every_m, reach_m):
        """ArduCopter keeps its heading on the way home, so the frame lies across it anyhow."""
        on, over = do(Command.DO_SET_CAM_TRIGG_DIST, 25.0), do(Command.DO_SET_CAM_TRIGG_DIST, every_m)
        east = LonLat(HOME.at.lon + 0.02, HOME.at.lat)
        found = path(TAKEOFF, on, to(A), to(east), over, RTL)
        assert self.half_width_m(found, LonLat(HOME.at.lon + 0.005, HOME.at.lat)) == pytest.approx(reach_m, abs=1)

    def test_thinning__never_makes_it_smaller(self):
        class Bumps:
            def heights_m(self, lons, lats):
                return 20.0 * np.sin(np.asarray(lons) * 60_000.0)

        found = path(TAKEOFF, to(A), to(B), RTL, ground=Bumps())
        seen = found.footprint(Camera(70.0))
        for track in found.tracks:
            for lon, lat, alt_m in zip(track.lons, track.lats, track.alt_agl_m, strict=True):
                reach_deg = max(alt_m, 0.0) * np.tan(np.radians(35)) / 112_000
                assert seen.covers(Point(lon, lat).buffer(reach_deg * 0.97))


@pytest.mark.parametrize("scale", [0.1, 1.0, 50.0])
def test_spline__ends_where_it_should_and_never_runs_away(scale):
    start, end = np.array([0.0, 0.0]), np.array([100.0, 0.0])
    points = curve(start, end, np.array([0.0, 300.0]) * scale, np.array([200.0, 0.0]) * scale, STEP_M)
    assert np.allclose(points[[0, -1]], [start, end])
    assert np.hypot(*np.diff(points, axis=0).T).max() <= 3 * STEP_M
    assert np.abs(points[:, 1]).max() <= 0.6 * 100
