"""A flight is filed by its pilot, judged by the system, cleared by the unit head; every guard with its refusal."""

import json
import uuid
from datetime import timedelta

import pytest
from shapely.geometry import LineString, Point, box
from sqlalchemy import func, select

from flights import commands
from flights.ground import UnknownGround
from schemas import tables as t
from schemas.store.work import find
from tests.database.flying import (
    END,
    GROUND,
    START,
    change,
    cleared,
    do,
    filed,
    filing_refused,
    new_zone,
    plan_file,
    precheck,
    prechecked,
    refused,
    row,
    rules,
    texts,
)
from tests.missions import compile_fixture_mission
from tests.situations import R1, R4


class TestFiling:
    def test_file__keeps_the_file_and_both_digests(self, work, session):
        flight = row(session, filed(work))
        assert flight.state == "filed"
        assert flight.plan_bytes == plan_file()
        assert flight.mission_digest == flight.route.mission_digest != flight.plan_digest

    def test_GD_16_1__pilot_without_licence__refused(self, work, past_the_judge):
        change(past_the_judge, "UPDATE core.qualification SET valid_to = '2025-07-01' WHERE kind = 'uas_licence'")
        assert texts(filing_refused(work)) == {"flight.no_licence"}

    def test_DC_2__route_that_is_not_published__refused(self, work, session):
        assert rules(filing_refused(work, route=find(session, t.PatrolRoute, "R2"))) == {"DC-2"}

    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            (START, START + timedelta(hours=13), "flight.window_length"),
            (START - timedelta(hours=3), START - timedelta(hours=2), "flight.window_past"),
        ],
    )
    def test_GD_16_1__window_too_long_or_past__refused(self, work, start, end, expected):
        assert texts(filing_refused(work, start=start, end=end)) == {expected}

    def test_only_pilots_file(self, work):
        assert filing_refused(work, "O1").status == 403

    def test_file_that_cannot_be_read__refused_and_nothing_filed(self, work, session):
        assert rules(filing_refused(work, data=b"not a plan")) == {"plan.format"}
        assert session.scalar(select(func.count()).select_from(t.Flight)) == 0


class TestPrecheck:
    @pytest.mark.parametrize("suffix", [".plan", ".waypoints", ".geojson"])
    def test_R1__in_every_format__passes(self, work, suffix):
        assert precheck(work, filed(work, data=plan_file(suffix=suffix), name="r1" + suffix)) == []

    def test_file_without_heights__passes_with_the_option_that_was_given(self, work):
        data = plan_file(alt_m=None, suffix=".geojson")
        assert precheck(work, filed(work, data=data, options={"alt_agl_m": 100.0})) == []

    def test_another_file_than_the_route__fails_with_every_rule_on_record(self, work, session):
        number = filed(work, data=plan_file(R4))
        assert set(precheck(work, number)) == {"DC-2", "GD-16.3"}
        flight = row(session, number)
        assert flight.state == "precheck_failed"
        assert {r["rule"] for r in flight.precheck["refusals"]} == {"DC-2", "GD-16.3"}
        assert flight.precheck["refusals_zh"][0]["message"]

    def test_failed_flight__amended_and_filed_again__passes(self, work):
        number = filed(work, data=plan_file(R4))
        precheck(work, number)
        do(work, "F1", commands.refile_flight, number, plan_file(), "r1.plan", {})
        assert precheck(work, number) == []

    def test_GD_16_5__quiet_hours_in_the_window__fails(self, work):
        late = {"start": START.replace(hour=21, minute=30), "end": START.replace(hour=22, minute=30)}
        assert precheck(work, filed(work, **late)) == ["GD-16.5"]

    @pytest.mark.parametrize(
        ("statement", "rule"),
        [
            ("UPDATE core.inspection_plan SET area_ids = '[]'", "GD-16.1"),
            ("UPDATE core.signage SET verified_on = '2024-06-01'", "GD-16.4"),
        ],
        ids=["plan_without_the_area", "mark_older_than_a_year"],
    )
    def test_record_behind_the_flight_is_not_in_order__fails(self, work, past_the_judge, statement, rule):
        change(past_the_judge, statement)
        assert precheck(work, filed(work)) == [rule]

    def test_GD_16_2__ground_unknown__fails_closed(self, work):
        assert "GD-16.2" in precheck(work, filed(work), UnknownGround())

    def test_GD_16_2__flight_above_the_controlled_height__passes_and_waits_for_airspace(self, work, past_the_judge):
        """The published route itself is high: the check passes, clearance waits for the approval."""
        _publish_at_125_m(past_the_judge)
        number = prechecked(work, data=plan_file(alt_m=125.0))
        do(work, "SYSTEM", commands.await_airspace, number)
        assert rules(refused(work, "H1", commands.clear, number, GROUND)) == {"GD-16.2"}
        _approve_airspace(past_the_judge)
        do(work, "H1", commands.clear, number, GROUND)


def _publish_at_125_m(past_the_judge):
    mission, digest = compile_fixture_mission(LineString(R1), Point(113.2545, 23.125), alt_agl_m=125.0)
    change(
        past_the_judge,
        "UPDATE core.patrol_route SET alt_agl_m = 125, mission = CAST(:m AS jsonb), mission_digest = :d"
        " WHERE code = 'R1'",
        m=json.dumps(mission),
        d=digest,
    )


def _approve_airspace(past_the_judge):
    change(
        past_the_judge,
        "INSERT INTO core.airspace_clearance (id, public_id, kind, number, issuing_body, authority_id, geom,"
        " alt_max_agl_m, valid_from, valid_to, origin, recorded_at)"
        " SELECT :id, 'AC-1', 'approval', 'A-1', 'Airspace office (fictional)', id,"
        " ST_GeomFromText(:wkt, 4326), 130, :start, :end, 'sample', now()"
        " FROM core.authority WHERE code = 'A1'",
        id=uuid.uuid4(),
        wkt=box(113.24, 23.11, 113.30, 23.15).wkt,
        start=START - timedelta(hours=1),
        end=END + timedelta(hours=1),
    )


class TestClearance:
    def test_unit_head_clears(self, work, session):
        assert row(session, cleared(work)).state == "cleared"

    def test_nobody_else_clears(self, work):
        number = prechecked(work)
        for code in ("F1", "O1", "N1", "SYSTEM"):
            assert refused(work, code, commands.clear, number, GROUND).status == 403

    def test_GD_16_5__a_zone_created_after_the_precheck__refuses_clearance(self, work, past_the_judge):
        number = prechecked(work)
        new_zone(past_the_judge, Point(113.27, 23.125).buffer(0.0005, quad_segs=2))
        assert rules(refused(work, "H1", commands.clear, number, GROUND)) == {"GD-16.5"}

    @pytest.mark.parametrize(
        ("statement", "text"),
        [
            ("UPDATE core.device SET state = 'blocked' WHERE name = 'DR1'", "flight.aircraft_state"),
            ("UPDATE core.patrol_route SET route_version = 2 WHERE code = 'R1'", "flight.route_changed"),
            ("UPDATE core.inspection_plan SET state = 'cancelled'", "flight.inspection_not_approved"),
        ],
        ids=["aircraft_blocked", "route_changed", "plan_cancelled"],
    )
    def test_changed_since_the_precheck__refuses_clearance(self, work, past_the_judge, statement, text):
        number = prechecked(work)
        change(past_the_judge, statement)
        assert text in texts(refused(work, "H1", commands.clear, number, GROUND))

    def test_cancel__needs_a_reason(self, work, session):
        number = filed(work)
        assert texts(refused(work, "F1", commands.cancel, number, " ")) == {"machine.reason"}
        do(work, "F1", commands.cancel, number, "wind")
        assert row(session, number).state == "cancelled"
