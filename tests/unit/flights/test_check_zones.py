"""Privacy zones with heights and hours, judged when and how high a leg is flown; tilted cameras; the other checks."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from shapely.geometry import LineString, Point, box

from flights.check.situation import AirspaceArea, Options, Pilot, Residential, Situation, Volume
from flights.model import Command, Frame, Home, LonLat, Plan, PlanItem
from flights.path.profile import profile
from geo import hours, measure
from geo.footprint import Camera
from geo.sight import BeyondSight
from tests.missions import FlatGround
from tests.situations import DRONE, PACK, R1, R2, R3, ZONE, drawn, judged, local, situation

NARROW = Options(hfov_deg=1.0)  # sees 0.9 m to either side from 100 m
MORNING = hours.from_text("WED 10:00-11:00")  # 2025-07-02, the day of the fixtures, is a Wednesday


def judge(plan, at=None, options=None, **changes):
    return judged(plan, situation(**changes), at, options)


def zone_texts(verdict):
    return [refusal.text for refusal in verdict.refusals if refusal.rule == "GD-16.5"]


class TestHours:
    def test_GD_16_5__line_through_a_zone_in_its_hours__refused_with_hours_and_window(self):
        verdict = judge(drawn(R2), zones=(replace(ZONE, schedule=MORNING),))
        (refusal,) = [r for r in verdict.refusals if r.rule == "GD-16.5"]
        assert refusal.text == "flight.line_in_zone_then"
        assert refusal.params["hours"] == "WED 10:00-11:00"
        assert "10:00" in refusal.message()

    @pytest.mark.parametrize(
        ("hour", "minute", "refused"), [(9, 40, False), (9, 58, True), (10, 57, True), (10, 59, False), (11, 1, False)]
    )
    def test_GD_16_5__line_through_a_zone_around_its_hours__refused_where_it_may_pass_then(self, hour, minute, refused):
        verdict = judge(drawn(R2), local(hour=hour, minute=minute), zones=(replace(ZONE, schedule=MORNING),))
        assert ("flight.line_in_zone_then" in zone_texts(verdict)) is refused

    def test_GD_16_5__leg_after_the_hours__passes_though_the_flight_begins_in_them(self):
        """The zone lies at the end of R2: it is reached five minutes after take-off, slower or faster by a fifth."""
        end = replace(ZONE, geom=box(113.2840, 23.1295, 113.2845, 23.1305), schedule=hours.from_text("WED 10:00-10:02"))
        one_way = Plan(
            (*drawn(R2).items, PlanItem(Command.NAV_LAND, Frame.GLOBAL_TERRAIN_ALT, at=LonLat(*R2[1]), alt_m=0.0))
        )
        ways = judge(one_way, zones=(end,))
        assert zone_texts(ways) == ["flight.way_in_zone"], "the aircraft may go home at any time"
        later = replace(end, schedule=hours.from_text("WED 10:04-10:06"))
        assert zone_texts(judge(one_way, zones=(later,))) == ["flight.line_in_zone_then"]

    def test_GD_16_5__planned_window__a_leg_may_be_flown_until_its_end(self):
        at_noon = replace(ZONE, schedule=hours.from_text("WED 12:00-13:00"))
        assert zone_texts(judge(drawn(R2), zones=(at_noon,))) == []
        late = judge(drawn(R2), options=Options(until=local(hour=12, minute=30)), zones=(at_noon,))
        assert zone_texts(late) == ["flight.line_in_zone_then"]

    def test_GD_16_5__camera_sees_a_zone_only_in_its_hours__refused(self):
        scheduled = replace(ZONE, schedule=MORNING)
        assert zone_texts(judge(drawn(R3), zones=(scheduled,))) == ["flight.footprint_in_zone_then"]
        assert zone_texts(judge(drawn(R3), local(hour=12), zones=(scheduled,))) == []

    def test_GD_16_5__slow_aircraft_that_nobody_named__may_be_anywhere(self):
        """Without an aircraft the flight takes 51 minutes and more one way, and may as well be a fast one."""
        zone = replace(ZONE, schedule=hours.from_text("WED 10:40-10:41"))
        assert "flight.line_in_zone_then" in zone_texts(judge(drawn(R2), aircraft=None, options=NARROW, zones=(zone,)))


class TestBand:
    @pytest.mark.parametrize(
        ("band", "refused"),
        [
            ((None, 99.0), False),
            ((None, 100.0), True),
            ((None, 101.0), True),
            ((101.0, None), False),
            ((100.0, None), True),
            ((20.0, 60.0), False),
            ((90.0, 110.0), True),
        ],
    )
    def test_GD_16_5__line_through_the_band_of_a_zone__refused(self, band, refused):
        """The line passes beside the zone, within its buffer; what the camera sees stays clear."""
        low_m, high_m = band
        beside = replace(ZONE, geom=box(113.2695, 23.12505, 113.2705, 23.1251), floor_agl_m=low_m, ceiling_agl_m=high_m)
        assert zone_texts(judge(drawn(R1), options=NARROW, zones=(beside,))) == []
        # The camera sees 0.9 m to the side, the zone lies 5.5 m away: only the line is within 6 m.
        band_of = replace(beside, buffer_m=0.0)
        near = judge(drawn([(113.2550, 23.12505), (113.2850, 23.12505)]), options=NARROW, zones=(band_of,))
        assert ("flight.line_in_zone_then" in zone_texts(near)) is refused

    def test_GD_16_5__buffer_of_a_zone__counts_in_height_as_well(self):
        zone = replace(ZONE, ceiling_agl_m=95.0)
        assert "flight.line_in_zone_then" not in zone_texts(judge(drawn(R2), zones=(zone,)))
        assert "flight.line_in_zone_then" in zone_texts(judge(drawn(R2), zones=(replace(zone, buffer_m=5.0),)))

    def test_GD_16_5__camera_above_the_ceiling_of_a_zone__still_sees_it(self):
        assert zone_texts(judge(drawn(R2), zones=(replace(ZONE, ceiling_agl_m=30.0),))) == [
            "flight.footprint_in_zone_then"
        ]

    def test_GD_16_5__camera_below_the_floor_of_a_zone__does_not_see_it(self):
        assert zone_texts(judge(drawn(R2), zones=(replace(ZONE, floor_agl_m=110.0),))) == []
        assert zone_texts(judge(drawn(R2), zones=(replace(ZONE, floor_agl_m=90.0),))) == ["flight.line_in_zone_then"]

    def test_GD_16_5__height_where_the_zone_is_counts__not_elsewhere(self):
        """The plan climbs from 60 to 100 m along R2; above the zone in the middle it is 80 m high."""
        items = drawn(R2).items
        climb = Plan(
            (
                replace(items[0], alt_m=60.0),
                items[1],
                PlanItem(Command.NAV_LAND, items[0].frame, at=LonLat(*R2[1]), alt_m=0.0),
            )
        )
        for band, refused in (((None, 70.0), False), ((75.0, 85.0), True), ((90.0, None), False)):
            zone = replace(ZONE, floor_agl_m=band[0], ceiling_agl_m=band[1])
            assert ("flight.line_in_zone_then" in zone_texts(judge(climb, zones=(zone,)))) is refused

    def test_GD_16_5__way_home_above_the_ceiling__passes(self):
        bow = [(113.2600, 23.1300), (113.2600, 23.1250), (113.2800, 23.1250), (113.2800, 23.1300)]
        plan = Plan((*drawn(bow).items, *drawn(bow[-2::-1]).items))
        assert zone_texts(judge(plan)) == ["flight.way_in_zone"]
        assert zone_texts(judge(plan, zones=(replace(ZONE, ceiling_agl_m=60.0),))) == []
        assert zone_texts(judge(plan, zones=(replace(ZONE, schedule=hours.from_text("SUN 10:00-11:00")),))) == []


class Pack:
    """The Guangdong pack with some values changed; a real one has all of them."""

    def __init__(self, **values):
        self._values = values

    def __getitem__(self, key):
        return self._values.get(key.replace(".", "__"), PACK[key])

    def __getattr__(self, name):
        return getattr(PACK, name)


def with_camera(**limits):
    return Pack(uav__camera=PACK["uav.camera"].model_copy(update=limits))


TILTABLE = with_camera(max_tilt_deg=60.0, look_m=400.0)


def pointed(pitch_deg, yaw_deg=0.0, line=R1, alt_m=100.0):
    tilt = PlanItem(Command.DO_MOUNT_CONTROL, params=(pitch_deg, 0.0, yaw_deg, 0.0))
    return Plan((tilt, *drawn(line, alt_m).items))


def looking(plan, pack=TILTABLE, options=None, **changes):
    base = situation(**changes)
    return judged(plan, replace(base, pack=pack), options=options)


class TestCamera:
    def test_GD_16_5__tilt_beyond_what_the_pack_allows__refused_with_both_angles(self):
        (refusal,) = [r for r in judge(pointed(-60.0)).refusals if r.rule == "GD-16.5"]
        assert (refusal.text, refusal.measured, refusal.required) == ("flight.camera_tilt", "30°", "0°")

    def test_GD_16_5__tilt_that_the_pack_allows__passes(self):
        assert looking(pointed(-70.0)).ok

    @pytest.mark.parametrize("pitch_deg", [-20.0, 0.0, 10.0])
    def test_GD_16_5__camera_that_sees_the_horizon__refused(self, pitch_deg):
        texts = zone_texts(looking(pointed(pitch_deg), with_camera(max_tilt_deg=89.0, look_m=400.0)))
        assert "flight.camera_horizon" in texts or "flight.camera_tilt" in texts

    def test_GD_16_5__camera_that_sees_further_than_is_looked__refused_with_the_distance(self):
        (refusal,) = [
            r
            for r in looking(pointed(-45.0), with_camera(max_tilt_deg=60.0, look_m=350.0)).refusals
            if r.text.startswith("flight.camera")
        ]
        assert refusal.text == "flight.camera_horizon"
        assert float(refusal.measured.removesuffix(" m")) > 350
        assert refusal.required == "350 m"

    def test_GD_16_5__camera_to_the_side__sees_the_zone_on_that_side_only(self):
        """From R1 the zone lies 498 m to the north: at 60° to the side the frame reaches up to it from 200 m up."""
        zone = replace(ZONE, geom=box(113.2695, 23.1262, 113.2705, 23.1264))  # 130 m to the north
        assert zone_texts(looking(pointed(-70.0, yaw_deg=0.0), zones=(zone,))) == []
        assert "flight.footprint_in_zone" in zone_texts(looking(pointed(-60.0, yaw_deg=-90.0), zones=(zone,)))
        one_way = Plan(
            (
                *pointed(-60.0, yaw_deg=90.0).items,
                PlanItem(Command.NAV_LAND, Frame.GLOBAL_TERRAIN_ALT, at=LonLat(*R1[1]), alt_m=0.0),
            )
        )
        assert "flight.footprint_in_zone" not in zone_texts(looking(one_way, zones=(zone,)))

    def test_GD_16_5__roll__refused(self):
        roll = PlanItem(Command.DO_MOUNT_CONTROL, params=(-90.0, 5.0, 0.0, 0.0))
        assert zone_texts(looking(Plan((roll, *drawn(R1).items)))) == ["flight.camera_rolled"]

    def test_GD_16_5__place_looked_at__footprint_is_there(self):
        roi = PlanItem(Command.DO_SET_ROI_LOCATION, Frame.GLOBAL_TERRAIN_ALT, at=LonLat(113.2700, 23.1255), alt_m=0.0)
        path = profile(Plan((roi, *drawn([(113.2690, 23.1250), (113.2710, 23.1250)]).items)), FlatGround())
        seen = path.footprint(Camera(30.0, 20.0), look_m=400.0)
        assert seen.covers(Point(113.2700, 23.1255))
        assert not seen.covers(Point(113.2700, 23.1222)), "300 m on the other side"

    def test_GD_16_5__nose_turned_by_the_plan__a_tilted_camera_may_look_anywhere(self):
        turn = PlanItem(Command.CONDITION_YAW, params=(90.0, 0.0, 0.0, 0.0))
        plan = Plan((turn, *pointed(-70.0, line=R1).items))
        seen = profile(plan, FlatGround()).footprint(Camera(40.0, 30.0), look_m=400.0)
        middle = LonLat(113.27, 23.125)
        for bearing in (0.0, 90.0, 180.0, 270.0):
            lon, lat, _ = measure.WGS84.fwd(*middle, bearing, 65.0)
            assert seen.covers(Point(lon, lat))

    def test_roll_margin_of_the_pack__widens_what_is_seen(self):
        zone = replace(ZONE, geom=box(113.2695, 23.1257, 113.2705, 23.1258))  # 78 m from R1
        assert looking(drawn(R1), zones=(zone,)).ok
        assert zone_texts(looking(drawn(R1), with_camera(roll_margin_deg=5.0), zones=(zone,))) == [
            "flight.footprint_in_zone"
        ]


class TestFootprintOnTerrain:
    LINE = ((113.2690, 23.1250), (113.2710, 23.1250))

    def seen(self, pitch_deg, ground, yaw_deg=0.0):
        plan = pointed(pitch_deg, yaw_deg, self.LINE, alt_m=100.0)
        return profile(plan, ground).footprint(Camera(40.0, 30.0), look_m=600.0)

    def reach_m(self, seen, bearing):
        """How far from the middle of the line the footprint reaches in one direction."""
        far = [d for d in range(0, 600, 2) if seen.covers(Point(measure.WGS84.fwd(113.27, 23.125, bearing, d)[:2]))]
        return max(far, default=0)

    def test_tilted_over_level_ground__edges_where_trigonometry_puts_them(self):
        """Pitched to 50° below the horizon, sideways, 30° tall: from 100/tan(65°) = 47 m to 100/tan(35°) = 143 m."""
        seen = self.seen(-50.0, FlatGround(), yaw_deg=-90.0)
        assert self.reach_m(seen, 0.0) == pytest.approx(143, abs=4)

    def test_tilted_at_a_slope_that_rises__sees_less_far_than_over_level_ground(self):
        class Rising:
            def heights_m(self, lons, lats):
                return 12.0 + np.maximum(np.asarray(lats) - 23.1253, 0.0) * 111_000 * 0.5

        assert self.reach_m(self.seen(-50.0, Rising(), -90.0), 0.0) < 125

    def test_tilted_at_a_slope_that_falls__sees_further(self):
        class Falling:
            def heights_m(self, lons, lats):
                return 12.0 - np.maximum(np.asarray(lats) - 23.1253, 0.0) * 111_000 * 0.2

        assert self.reach_m(self.seen(-50.0, Falling(), -90.0), 0.0) > 160

    def test_nadir_over_a_slope__strip_is_wider_where_the_ground_falls_away(self):
        class Falling:
            def heights_m(self, lons, lats):
                return 12.0 - (np.asarray(lats) - 23.1250) * 111_000 * 0.3

        seen = profile(drawn(self.LINE), Falling()).footprint(Camera(70.0))
        true_m = 100 * np.tan(np.radians(35)) / (1 - 0.3 * np.tan(np.radians(35)))
        assert self.reach_m(seen, 0.0) >= true_m - 2

    def test_ground_beside_the_line_unknown__refused(self):
        class Edge:
            def heights_m(self, lons, lats):
                return np.where(np.asarray(lats) > 23.1252, np.nan, 12.0)

        verdict = judge(drawn(R1), ground=Edge())
        assert "flight.terrain_missing" in {r.text for r in verdict.refusals}

    def test_horizon__says_where(self):
        with pytest.raises(BeyondSight) as caught:
            self.seen(-10.0, FlatGround())
        assert caught.value.reach_m == np.inf


class TestEndurance:
    def test_GD_16_5__longer_in_the_air_than_the_endurance_without_reserve__refused(self):
        """R1 and back takes 615 s and 100 s of climb and descent: 12 minutes."""
        for minutes, texts in ((15.2, []), (14.5, ["flight.endurance"]), (None, [])):
            assert zone_texts(judge(drawn(R1), aircraft=replace(DRONE, endurance_min=minutes))) == texts

    def test_GD_16_5__way_home_from_a_landing_elsewhere__counts(self):
        away = Plan(
            (*drawn(R1).items, PlanItem(Command.NAV_LAND, Frame.GLOBAL_TERRAIN_ALT, at=LonLat(*R1[1]), alt_m=0.0))
        )
        assert zone_texts(judge(away, aircraft=replace(DRONE, endurance_min=14.5))) == ["flight.endurance"]

    def test_GD_16_5__endurance_not_known__said_or_refused_as_the_pack_has_it(self):
        assert ("endurance_min", "not known") in [(a.name, a.value) for a in judge(drawn(R1)).assumed]
        strict = Pack(uav__endurance=PACK["uav.endurance"].model_copy(update={"must_be_known": True}))
        assert zone_texts(looking(drawn(R1), strict)) == ["flight.endurance_unknown"]


class TestPilot:
    @pytest.mark.parametrize(("days", "count"), [((-1, 1), 0), ((0, 0), 0), ((1, 9), 1), ((-9, -1), 1)])
    def test_GD_16_1__pilot_without_a_licence_that_day__refused(self, days, count):
        on = local().date()
        pilot = Pilot("F1", ((on + timedelta(days=days[0]), on + timedelta(days=days[1])),))
        found = [r for r in judge(drawn(R1), pilot=pilot).refusals if r.text == "flight.no_licence"]
        assert len(found) == count
        assert judge(drawn(R1), pilot=Pilot("F1")).refusals[0].rule == "GD-16.1"


class TestTraffic:
    HELD = Volume("FL-1", box(113.268, 23.124, 113.272, 23.126), 60.0, 120.0, local(hour=9), local(hour=11))

    def test_DC_2__air_of_another_flight_in_space_height_and_time__refused(self):
        (refusal,) = judge(drawn(R1), traffic=(self.HELD,)).refusals
        assert (refusal.rule, refusal.text, refusal.params["flight"]) == ("DC-2", "flight.air_taken", "FL-1")
        assert refusal.place["type"]

    @pytest.mark.parametrize(
        "change",
        [
            {"geom": box(113.268, 23.127, 113.272, 23.129)},
            {"alt_agl_min_m": 150.0, "alt_agl_max_m": 200.0},
            {"alt_agl_min_m": 0.0, "alt_agl_max_m": 40.0, "geom": box(113.268, 23.1249, 113.272, 23.1251)},
            {"start": local(hour=12), "end": local(hour=13)},
            {"start": local(hour=7), "end": local(hour=9)},
        ],
        ids=["beside", "above", "below", "later", "earlier"],
    )
    def test_DC_2__air_that_another_flight_does_not_need__passes(self, change):
        assert judge(drawn(R1), traffic=(replace(self.HELD, **change),)).ok

    def test_DC_2__every_flight_that_is_met__is_named(self):
        found = judge(drawn(R1), traffic=(self.HELD, replace(self.HELD, flight="FL-2"))).refusals
        assert [r.params["flight"] for r in found] == ["FL-1", "FL-2"]


class TestMargins:
    def test_clearances__everything_near_with_metres_and_the_place_on_the_way(self):
        verdict = judge(
            drawn(R1),
            airspace=(AirspaceArea("x", "Reservoir", "approval", box(113.26, 23.127, 113.261, 23.128)),),
            residential=(Residential("Village", box(113.28, 23.127, 113.281, 23.128)),),
            traffic=(Volume("FL-9", box(113.27, 23.127, 113.271, 23.128), 60.0, 120.0, local(hour=9), local(hour=11)),),
        )
        assert verdict.ok, verdict.render()
        found = {(m.kind, m.name): m for m in verdict.clearances}
        assert set(found) == {
            ("zone", "PZ-Z1"), ("area", "PA1"), ("airspace", "Reservoir"), ("residential", "Village"),
            ("traffic", "FL-9"), ("terrain", "flight"), ("way", "home"),
        }  # fmt: skip
        zone = found["zone", "PZ-Z1"]
        assert (zone.line_m, zone.footprint_m) == (pytest.approx(498, abs=1), pytest.approx(428, abs=1))
        assert zone.along_m == pytest.approx(measure.length_m(LineString([R1[0], (113.27, 23.125)])), abs=60)
        assert found["area", "PA1"].line_m == pytest.approx(512, abs=1)
        assert found["way", "home"].line_m == pytest.approx(100)
        assert found["airspace", "Reservoir"].line_m == pytest.approx(221, abs=1)
        for margin in verdict.render()["clearances"]:
            assert margin["kind"]
            assert margin["line_m"] is not None


def test_situation__fields_that_tests_of_others_rely_on():
    names = set(Situation.__dataclass_fields__)
    assert {"zones", "areas", "routes", "traffic", "pilot", "residential", "airspace", "clearances"} <= names


def test_home_in_the_plan__is_where_ways_lead():
    plan = replace(drawn(R1), home=Home(LonLat(113.27, 23.138)))
    assert "flight.way_in_zone" in zone_texts(judge(plan, options=NARROW)) or "flight.line_in_zone" in zone_texts(
        judge(plan)
    )
