"""The judgement of a plan: each rule with the case that passes and the case that does not."""

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import structlog
from shapely.geometry import LineString, box, shape

from flights.canonical import items_of
from flights.check.precheck import check_plan
from flights.check.situation import (
    AirspaceArea,
    Clearance,
    Inspection,
    Notice,
    Options,
    PublishedArea,
    PublishedRoute,
    Residential,
)
from flights.formats import read_plan, write_plan
from flights.model import Command, Fence, FencePolygon, Frame, Home, LonLat, Plan, PlanItem
from flights.path.assumed import Assumed
from tests.situations import (
    AREA,
    DIGEST,
    DRONE,
    MISSION,
    R1,
    R2,
    R3,
    R4,
    ROUTE,
    Z1,
    ZONE,
    drawn,
    judged,
    local,
    situation,
)


def judge(plan, at=None, options=None, **changes):
    return judged(plan, situation(**changes), at, options)


def rules(verdict):
    return [refusal.rule for refusal in verdict.refusals]


def only(verdict, rule):
    found = [refusal for refusal in verdict.refusals if refusal.rule == rule]
    assert len(found) == 1, rules(verdict)
    return found[0]


class TestFixtures:
    def test_R1__on_a_lawful_day__passes_and_names_the_published_mission(self):
        verdict = judge(drawn(R1))
        assert verdict.ok, verdict.render()
        assert (verdict.route, verdict.published_digest) == ("RT-R1", DIGEST)
        assert verdict.length_m == pytest.approx(3073, abs=1)
        assert verdict.flown_m == pytest.approx(2 * 3073, abs=2)
        assert verdict.clearances[0].line_m == pytest.approx(498, abs=1)

    def test_R1__the_published_mission_itself__passes_by_its_digest(self):
        verdict = judge(Plan(items_of(MISSION), Home(LonLat(113.2545, 23.1250))))
        assert verdict.ok, verdict.render()
        assert verdict.digest == verdict.published_digest

    @pytest.mark.parametrize("suffix", [".plan", ".waypoints", ".geojson"])
    def test_R1__drawn_by_anyone_in_any_format__passes(self, suffix):
        frame = Frame.GLOBAL_TERRAIN_ALT if suffix == ".geojson" else Frame.GLOBAL_RELATIVE_ALT
        line = [(113.2550, 23.12505), (113.2700, 23.12490), (113.2850, 23.1250)]
        plan = replace(drawn(line, frame=frame), home=Home(LonLat(113.2552, 23.1251), 12.0))
        verdict = judge(read_plan(write_plan(plan, suffix)))
        assert verdict.ok, verdict.render()
        assert verdict.digest != verdict.published_digest

    def test_R1__flown_the_other_way__passes(self):
        assert judge(drawn(R1[::-1])).ok

    def test_GD_16_5__R2_line_through_the_zone__refused(self):
        refusal = only(judge(drawn(R2)), "GD-16.5")
        assert refusal.text == "flight.line_in_zone"
        assert shape(refusal.place).intersects(Z1)
        assert refusal.measured == "0.0 m"

    def test_GD_16_5__R3_footprint_in_the_zone__refused_with_both_distances(self):
        refusal = only(judge(drawn(R3)), "GD-16.5")
        assert refusal.text == "flight.footprint_in_zone"
        assert refusal.measured == "55 m"
        assert refusal.required == "70 m"

    def test_GD_16_5__R3_with_a_narrow_camera__zone_is_clear(self):
        assert "GD-16.5" not in rules(judge(drawn(R3), options=Options(hfov_deg=40)))

    def test_GD_16_3__R4_leaves_the_area__refused_with_the_metres(self):
        refusal = only(judge(drawn(R4)), "GD-16.3")
        assert refusal.text == "flight.line_outside"
        assert float(refusal.measured.removesuffix(" m")) == pytest.approx(512, abs=1), "the line, not what it sees"
        assert shape(refusal.place).bounds[0] == pytest.approx(113.29, abs=1e-6)

    def test_GD_14_2__R1_a_day_early__refused_once_with_the_earliest_day(self):
        verdict = judge(drawn(R1), local(day=30, month=6))
        assert rules(verdict) == ["GD-14.2"]
        assert verdict.refusals[0].earliest == date(2025, 7, 1)
        assert "PA1, R1, DV-DR1" in verdict.refusals[0].message()

    def test_GD_16_5__R1_at_23_00__refused(self):
        verdict = judge(drawn(R1), local(hour=23))
        assert rules(verdict) == ["GD-16.5"]
        assert verdict.refusals[0].required == "07:00-22:00"

    def test_four_faults__four_entries_each_with_place_and_words(self):
        found = judge(drawn(R1, alt_m=140.0), local(day=30, hour=23, month=6), aircraft=replace(DRONE, marked_on=None))
        entries = [r for r in found.refusals if r.text != "flight.route_height"]
        assert [r.rule for r in entries] == ["GD-14.2", "GD-16.2", "GD-16.4", "GD-16.5"]
        for refusal in found.refusals:
            assert refusal.place["type"]
            assert refusal.message("zh") != refusal.message("en")
            assert refusal.fix("en")
            assert json.dumps(refusal.render())


class TestPack:
    def test_GD_02_1__no_rules_in_force__refused(self):
        verdict = check_plan(
            drawn([(8.54, 47.39), (8.55, 47.39)]),
            replace(situation(), pack=None, areas=(), routes=()),
            at=local(),
            options=Options(),
        )
        assert rules(verdict) == ["GD-02.1", "GD-16.3"]


class TestRoute:
    def test_DC_2__no_published_route_near__refused_with_the_nearest(self):
        refusal = only(judge(drawn([(113.2550, 23.1260), (113.2850, 23.1260)])), "DC-2")
        assert refusal.text == "flight.route_unmatched"
        assert refusal.measured == "111 m"

    def test_DC_2__half_of_the_route__refused(self):
        refusal = only(judge(drawn([R1[0], (113.27, 23.125)])), "DC-2")
        assert refusal.measured == "1537 m"

    def test_DC_2__nothing_is_published__refused(self):
        assert only(judge(drawn(R1), routes=()), "DC-2").text == "flight.route_none"

    def test_DC_2__named_route_is_another__refused(self):
        other = PublishedRoute("RT-X", "X", LineString(R3), 100.0, "0" * 64, ROUTE.notice)
        refusal = only(judge(drawn(R1), options=Options(route="X"), routes=(ROUTE, other)), "DC-2")
        assert refusal.text == "flight.route_differs"

    def test_DC_2__named_route_is_not_published__refused(self):
        assert only(judge(drawn(R1), options=Options(route="R9")), "DC-2").text == "flight.route_unknown"

    @pytest.mark.parametrize(("alt_m", "ok"), [(70.5, True), (69.0, False), (119.0, True)])
    def test_DC_2__height_outside_the_published_band__refused(self, alt_m, ok):
        assert judge(drawn(R1, alt_m)).ok is ok

    def test_GD_14_4__route_suspended__refused(self):
        stopped = replace(ROUTE, notice=Notice(date(2025, 7, 1), suspended_on=date(2025, 7, 2)))
        assert rules(judge(drawn(R1), routes=(stopped,))) == ["GD-14.4"]

    def test_GD_14_2__area_published_on_one_channel_only__refused(self):
        assert only(judge(drawn(R1), areas=(replace(AREA, notice=Notice(None)),)), "GD-14.2")

    def test_GD_14_2__another_area_in_force_covers_the_flight__passes(self):
        early = replace(AREA, code="A0", public_id="PA-0", notice=Notice(date(2025, 8, 1)))
        assert judge(drawn(R1), areas=(early, AREA)).ok


class TestHeights:
    def test_height_missing__refused_and_all_other_rules_still_judged(self):
        verdict = judge(drawn(R2, alt_m=None), local(hour=23))
        assert rules(verdict) == ["plan.height_missing", "DC-2", "GD-16.5", "GD-16.5"]
        assert "item 1, 2" in verdict.refusals[0].message()

    def test_height_from_the_option__judged_above_ground(self):
        assert judge(drawn(R1, alt_m=None), options=Options(alt_agl_m=100)).ok

    def test_GD_16_2__above_the_controlled_height__refused(self):
        verdict = judge(drawn(R1, alt_m=121.0))
        assert rules(verdict) == ["GD-16.2"]
        assert (verdict.refusals[0].measured, verdict.refusals[0].required) == ("121 m", "120 m")

    def test_GD_16_2__relative_height_over_falling_ground__true_height_counts(self):
        class Slope:
            def heights_m(self, lons, lats):
                return 50.0 - (lons - R1[0][0]) * 1_000

        verdict = judge(drawn(R1, frame=Frame.GLOBAL_RELATIVE_ALT), ground=Slope())
        assert only(verdict, "GD-16.2").measured == "130 m"

    def test_GD_16_2__ground_unknown__refused(self):
        class Half:
            def heights_m(self, lons, lats):
                return np.where(lons < 113.27, 10.0, np.nan)

        refusal = only(judge(drawn(R1, frame=Frame.GLOBAL), ground=Half()), "GD-16.2")
        assert refusal.text == "flight.terrain_missing"

    def test_GD_16_2__approval_for_place_height_and_time__passes(self):
        held = Clearance("approval", "A-1", box(113.2, 23.1, 113.3, 23.2), 125.0, local(hour=9), local(hour=12))
        assert judge(drawn(R1, alt_m=121.0), clearances=(held,)).ok

    @pytest.mark.parametrize(
        "change",
        [
            {"alt_max_agl_m": 120.0},
            {"valid_to": local(hour=10, minute=5)},
            {"valid_from": local(hour=10, minute=1)},
            {"geom": box(113.2, 23.1, 113.27, 23.2)},
            {"kind": "filing"},
        ],
    )
    def test_GD_16_2__approval_short_of_place_height_time_or_kind__refused(self, change):
        held = Clearance("approval", "A-1", box(113.2, 23.1, 113.3, 23.2), 125.0, local(hour=9), local(hour=12))
        verdict = judge(drawn(R1, alt_m=121.0), clearances=(replace(held, **change),))
        assert rules(verdict) == ["GD-16.2"]

    def test_GD_16_2__over_a_listed_place_without_approval__refused_there(self):
        water = AirspaceArea("drinking_water_source", "Reservoir", "approval", box(113.265, 23.12, 113.27, 23.13))
        refusal = only(judge(drawn(R1), airspace=(water,)), "GD-16.2")
        assert shape(refusal.place).bounds[0] == pytest.approx(113.265)


class TestPlace:
    def test_GD_16_3__no_area_published__refused(self):
        assert only(judge(drawn(R1), areas=()), "GD-16.3").text == "flight.no_area"

    def test_GD_16_3__footprint_reaches_out_of_the_area__refused(self):
        edge = PublishedArea("PA-E", "E", box(113.25, 23.1245, 113.29, 23.14), AREA.notice)
        refusal = only(judge(drawn(R1), areas=(edge,)), "GD-16.3")
        assert refusal.text == "flight.footprint_outside"
        assert refusal.measured == "32 m", "the corner of the frame at the end of the line"

    def test_GD_16_3__home_outside_the_area__refused(self):
        plan = replace(drawn(R1), home=Home(LonLat(113.245, 23.125)))
        assert only(judge(plan), "GD-16.3").text == "flight.line_outside"

    def test_GD_16_5__return_leg_crosses_a_zone__refused(self):
        corner = [(113.2600, 23.1300), (113.2600, 23.1250), (113.2800, 23.1250), (113.2800, 23.1300)]
        assert only(judge(drawn(corner)), "GD-16.5").text == "flight.line_in_zone"

    def test_GD_16_5__zone_not_in_force_any_more__passes(self):
        over = replace(ZONE, valid_to=local(hour=9))
        assert "GD-16.5" not in rules(judge(drawn(R2), zones=(over,)))

    def test_GD_16_5__zone_comes_into_force_during_the_flight__refused(self):
        soon = replace(ZONE, valid_from=local(hour=10, minute=5))
        assert "GD-16.5" in rules(judge(drawn(R2), zones=(soon,)))

    def test_GD_16_5__zone_with_a_buffer__distance_counts(self):
        wide = replace(ZONE, buffer_m=500.0)
        assert only(judge(drawn(R1), zones=(wide,)), "GD-16.5").required == "570 m"

    @pytest.mark.parametrize(("least_m", "count"), [(59.0, 1), (61.0, 0)])
    def test_GD_16_5__low_over_homes__refused(self, least_m, count):
        homes = Residential("Village", box(113.26, 23.12, 113.265, 23.13))
        low = replace(ROUTE, alt_agl_m=60.0)
        verdict = judge(drawn(R1, alt_m=least_m), residential=(homes,), routes=(low,))
        assert rules(verdict) == ["GD-16.5"] * count

    @pytest.mark.parametrize(("alt_m", "count"), [(59.0, 1), (61.0, 0)])
    def test_GD_16_5__low_over_a_house_smaller_than_a_step__refused(self, alt_m, count):
        for west in (113.26, 113.26003, 113.26006, 113.26009):
            house = Residential("House", box(west, 23.12498, west + 0.00002, 23.12502))  # 2 m wide
            low = replace(ROUTE, alt_agl_m=60.0)
            found = judge(drawn(R1, alt_m=alt_m), residential=(house,), routes=(low,))
            assert [r.text for r in found.refusals] == ["flight.low_over_homes"] * count

    def test_plan_that_is_refused_unjudged__shows_its_places(self):
        endless = replace(drawn(R1), items=(*drawn(R1).items, PlanItem(Command.DO_JUMP, params=(1.0, -1.0, 0.0, 0.0))))
        refusal = judge(endless).refusals[0]
        assert (refusal.rule, refusal.measured) == ("plan.endless", "endless")
        assert shape(refusal.place).bounds == LineString(R1).bounds

    def test_GD_16_5__tilted_camera__refused(self):
        plan = drawn(R1)
        tilt = PlanItem(Command.DO_MOUNT_CONTROL, params=(-45.0, 0.0, 0.0, 0.0))
        down = PlanItem(Command.DO_MOUNT_CONTROL, params=(-90.0, 0.0, 0.0, 0.0))
        assert judge(replace(plan, items=(down, *plan.items))).ok
        assert rules(judge(replace(plan, items=(tilt, *plan.items)))) == ["GD-16.5"]


class TestAircraft:
    def test_GD_16_4__no_aircraft__refused(self):
        verdict = judge(drawn(R1), aircraft=None, options=Options(hfov_deg=70))
        assert rules(verdict) == ["GD-16.4"]

    def test_GD_16_5__neither_aircraft_nor_camera__refused(self):
        assert rules(judge(drawn(R1), aircraft=None)) == ["GD-16.4", "GD-16.5"]

    @pytest.mark.parametrize(
        ("marked_on", "ok"),
        [(None, False), (date(2024, 7, 2), False), (date(2024, 7, 3), True), (date(2025, 7, 3), False)],
    )
    def test_GD_16_4__mark_checked_within_twelve_months(self, marked_on, ok):
        assert judge(drawn(R1), aircraft=replace(DRONE, marked_on=marked_on)).ok is ok

    @pytest.mark.parametrize("state", ["blocked", "maintenance", "discontinued", "registered"])
    def test_GD_14_2__aircraft_not_in_use__refused(self, state):
        assert rules(judge(drawn(R1), aircraft=replace(DRONE, state=state))) == ["GD-14.2"]

    def test_assumed__what_neither_file_nor_option_gives_comes_from_the_aircraft(self):
        found = {a.name: a for a in judge(drawn(R1)).assumed}
        assert found["hfov_deg"].value == 70.0
        assert found["speed_mps"].source() == "aircraft DV-DR1"
        assert found["home"].source() == "the first place of the plan"

    def test_assumed__option_against_the_camera_of_file_and_aircraft__said_with_all_three(self):
        plan = replace(drawn(R1), hfov_deg=90.0)
        said = [a for a in judge(plan, options=Options(hfov_deg=40)).assumed if a.name == "hfov_deg"]
        assert [a.value for a in said] == [40, 40]
        assert "the file says 90" in said[0].source()
        assert "DV-DR1 has 70" in said[1].source()
        agreed = judge(drawn(R1), options=Options(hfov_deg=70)).assumed
        assert [a for a in agreed if a.name == "hfov_deg"] == []

    @pytest.mark.parametrize("hfov_deg", [-1.0, 151.0, 400.0])
    def test_camera_angle_out_of_range__refused(self, hfov_deg):
        assert rules(judge(drawn(R1), options=Options(hfov_deg=hfov_deg))) == ["flight.camera_angle"]


class TestTime:
    @pytest.mark.parametrize(
        ("hour", "minute", "ok"),
        [(6, 59, False), (7, 0, True), (21, 40, True), (21, 50, False), (0, 0, False)],
    )
    def test_GD_16_5__quiet_hours_from_take_off_to_landing(self, hour, minute, ok):
        assert judge(drawn(R1), local(hour=hour, minute=minute)).ok is ok

    def test_GD_16_5__a_window_over_the_night__refused(self):
        assert not judge(drawn(R1), local(hour=20), Options(until=local(day=3, hour=8))).ok

    def test_time_zone__a_utc_time_is_judged_in_local_time(self):
        assert not judge(drawn(R1), local(hour=23).astimezone(tz=None)).ok

    def test_GD_16_1__flight_without_an_inspection_plan__refused(self):
        assert rules(judge(drawn(R1), options=Options(for_flight=True))) == ["GD-16.1"]

    @pytest.mark.parametrize(
        ("approved", "valid_from", "valid_to", "count"),
        [
            (True, date(2025, 6, 10), date(2026, 6, 9), 0),
            (False, date(2025, 6, 10), date(2026, 6, 9), 1),
            (True, date(2025, 7, 3), date(2026, 6, 9), 1),
            (False, date(2025, 6, 10), date(2025, 7, 1), 2),
        ],
    )
    def test_GD_16_1__approved_and_in_its_period(self, approved, valid_from, valid_to, count):
        inspection = Inspection("IP-1", approved, valid_from, valid_to)
        verdict = judge(drawn(R1), options=Options(inspection=inspection, for_flight=True))
        assert rules(verdict) == ["GD-16.1"] * count


class TestFailure:
    def test_a_check_that_breaks__refuses_and_the_others_still_run(self):
        class Broken:
            public_id = "PZ-B"

            def in_force(self, *_args):
                raise RuntimeError("broken zone")

        with structlog.testing.capture_logs() as logged:
            verdict = judge(drawn(R4), zones=(Broken(),))
        assert only(verdict, "GD-16.5").text == "flight.check_failed"
        assert "GD-16.3" in rules(verdict)
        assert {entry["event"] for entry in logged} == {"check failed", "clearances failed"}

    def test_endless_plan__refused(self):
        plan = Plan((*drawn(R1).items, PlanItem(Command.DO_JUMP, params=(1.0, -1.0, 0.0, 0.0))))
        refusal = only(judge(plan), "plan.endless")
        assert refusal.params["path"] == 3

    @pytest.mark.parametrize(
        ("slow", "rule"),
        [
            (PlanItem(Command.DO_CHANGE_SPEED, params=(1.0, 1e-9, 0.0, 0.0)), "plan.too_slow"),
            (PlanItem(Command.DO_CHANGE_SPEED, params=(1.0, 1e9, 0.0, 0.0)), "plan.too_fast"),
            (replace(drawn(R1).items[0], params=(1e9, 0.0, 0.0, 0.0)), "plan.too_slow"),
        ],
    )
    def test_time_in_the_air_beyond_the_calendar__refused_and_not_a_fault(self, slow, rule):
        plan = drawn(R1)
        assert rules(judge(replace(plan, items=(plan.items[0], *[slow] * 300, plan.items[1])))) == [rule]

    def test_verdict__renders_as_json_in_both_languages(self):
        verdict = judge(drawn(R3), local(day=30, month=6))
        for lang in ("en", "zh"):
            body = json.loads(json.dumps(verdict.render(lang)))
            assert body.keys() >= {"ok", "refusals", "digest", "items", "length_m", "assumed"}


def test_assumed__fence_of_the_file__said_not_to_fly():
    ring = (LonLat(113.2, 23.1), LonLat(113.3, 23.1), LonLat(113.3, 23.2))
    plan = replace(drawn(R1), fence=Fence((FencePolygon(ring, inclusion=True),)))
    assert {a.name: a.because for a in judge(plan).assumed}["fence"] == "own_fence"
    assert "fence" not in {a.name for a in judge(drawn(R1)).assumed}


def test_assumed__every_name_in_both_languages():
    sources = [*Path("flights").rglob("*.py"), Path("web/checks.py")]
    names = {name for path in sources for name in re.findall(r'(?:Assumed|notes\.add)\(\s*"([^"]+)"', path.read_text())}
    assert len(names) > 12
    for name in names:
        english, chinese = (Assumed(name, 1, "aircraft").title(lang) for lang in ("en", "zh"))
        assert "_" not in english
        assert re.search("[\u4e00-\u9fff]", chinese)


def test_assumed__every_reason_in_both_languages():
    high = Plan((*drawn(R1).items, replace(drawn(R1).items[1], alt_m=0.0)))
    for plan, options in ((high, Options()), (replace(high, hfov_deg=90.0), Options(hfov_deg=40, alt_agl_m=50))):
        verdict = judge(plan, options=options)
        assert len(verdict.assumed) >= 4
        for english, chinese in zip(verdict.render()["assumed"], verdict.render("zh")["assumed"], strict=True):
            assert (english["name"], english["value"]) == (chinese["name"], chinese["value"])
            assert english["source"].isascii()
            assert not chinese["source"].isascii()
