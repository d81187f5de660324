"""Flights and inspection plans on a real database: every guard, and the lawful path from file to log."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from geoalchemy2.shape import from_shape
from shapely.geometry import LineString, Point, box
from sqlalchemy import func, select, text

from flights import commands, queries
from flights.canonical import fence_digest
from flights.formats import read_plan, write_plan
from flights.ground import UnknownGround
from flights.model import Frame
from flights.situation import Options
from schemas import tables as t
from schemas.refusals import RuleViolation
from schemas.store.work import find
from tests.missions import FlatGround, compile_fixture_mission
from tests.situations import R1, R2, R3, R4, drawn

SHANGHAI = ZoneInfo("Asia/Shanghai")
GROUND = FlatGround()
START = datetime(2025, 7, 2, 10, 0, tzinfo=SHANGHAI)
END = START + timedelta(minutes=40)


def rules(caught):
    return sorted({refusal.rule for refusal in caught.value.refusals})


def texts(caught):
    return {refusal.text for refusal in caught.value.refusals}


def plan_file(line=R1, alt_m=100.0, suffix=".plan"):
    frame = Frame.GLOBAL_TERRAIN_ALT if suffix == ".geojson" else Frame.GLOBAL_RELATIVE_ALT
    return write_plan(drawn(line, alt_m, frame), suffix)


def filing(session, inspection="IP-2025-1", **changes):
    fields = {
        "data": plan_file(),
        "name": "r1.plan",
        "route": find(session, t.PatrolRoute, "R1"),
        "inspection": find(session, t.InspectionPlan, inspection),
        "drone": queries.drone_named(session, "DR1"),
        "start": START,
        "end": END,
    }
    return commands.Filing(**fields | changes)


def filed(work, **changes):
    with work("F1") as unit:
        flight = commands.file_flight(unit, filing(unit.session, **changes))
        unit.commit()
        return flight.public_id


def prechecked(work, number, ground=GROUND):
    with work("SYSTEM") as unit:
        refusals = commands.precheck(unit, unit.get(t.Flight, number), ground)
        unit.commit()
        return [refusal.rule for refusal in refusals]


def cleared(work, **changes):
    number = filed(work, **changes)
    assert prechecked(work, number) == []
    with work("H1") as unit:
        commands.clear(unit, unit.get(t.Flight, number), GROUND)
        unit.commit()
    return number


def read_back(unit, flight):
    fence = queries.fence_of(unit.session, flight.route, START, END)
    return commands.ReadBack(
        mission_digest=flight.mission_digest, fence_digest=fence_digest(fence.items), vehicle={"firmware": "x"}
    )


def uploaded(work, **changes):
    number = cleared(work, **changes)
    with work("F1") as unit:
        flight = unit.get(t.Flight, number)
        commands.mark_uploaded(unit, flight, GROUND, read_back(unit, flight))
        unit.commit()
    return number


def alter(database, statement, **values):
    """Changes a row as the owner of the database, as an import or another office might have."""
    engine = database.admin_engine()
    with engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(statement), values)
    engine.dispose()


def ask(services, line, at=START, **options):
    with services.session() as session:
        plan = drawn(line)
        asked = queries.Asked(at, Options(**options), queries.usual_drone(session))
        pack = queries.rules_for(services.rulebook, plan, at)
        return queries.judge(session, pack, GROUND, plan, asked)


class TestCheck:
    def test_R1__passes_with_the_aircraft_that_is_in_use(self, services):
        verdict = ask(services, R1)
        assert verdict.ok, verdict.render()
        assert verdict.route == "RT-R1"
        assert verdict.clearances[0].zone == "PZ-Z1"

    def test_fixture_routes__refused_as_written(self, services):
        for line, at, expected in (
            (R2, START, {"GD-16.5", "DC-2"}),
            (R3, START, {"GD-16.5", "DC-2"}),
            (R4, START, {"GD-16.3", "DC-2"}),
            (R1, START.replace(month=6, day=30), {"GD-14.2"}),
            (R1, START.replace(hour=23), {"GD-16.5"}),
        ):
            assert {r.rule for r in ask(services, line, at).refusals} == expected

    def test_GD_02_1__outside_every_jurisdiction__refused(self, services):
        verdict = ask(services, [(8.54, 47.39), (8.55, 47.39)])
        assert [r.rule for r in verdict.refusals] == ["GD-02.1", "GD-16.3"]

    def test_DC_2__route_far_away_is_named__refused_as_different(self, services):
        verdict = ask(services, [(113.30, 23.10), (113.31, 23.10)], route="R1")
        assert "flight.route_differs" in {r.text for r in verdict.refusals}

    def test_airspace_and_homes_and_clearances__are_read_from_the_layers(self, services, database):
        near = box(113.26, 23.12, 113.265, 23.13).wkt
        for code, layer, kind in (
            ("CF-WATER", "protected", "drinking_water_source"),
            ("CF-HOMES", "residential", None),
        ):
            alter(
                database,
                "INSERT INTO core.context_feature (id, public_id, layer, name, kind, attributes, geom, origin)"
                " VALUES (:id, :code, :layer, :code, :kind, '{}', ST_GeomFromText(:wkt, 4326), 'sample')",
                id=uuid.uuid4(),
                code=code,
                layer=layer,
                kind=kind,
                wkt=near,
            )
        found = [r.text for r in ask(services, R1).refusals]
        assert found == ["flight.airspace"]
        with services.session() as session:
            plan = drawn(R1, alt_m=50.0)
            pack = queries.rules_for(services.rulebook, plan, START)
            asked = queries.Asked(START, Options(), queries.usual_drone(session))
            low = queries.judge(session, pack, GROUND, plan, asked)
        assert "flight.low_over_homes" in [r.text for r in low.refusals]

    def test_drone_unknown__404(self, session):
        with pytest.raises(RuleViolation) as caught:
            queries.drone_named(session, "DR9")
        assert caught.value.status == 404


class TestFiling:
    def test_file__keeps_the_file_and_both_digests(self, work, session):
        number = filed(work)
        flight = session.scalars(select(t.Flight).where(t.Flight.public_id == number)).one()
        assert flight.state == "filed"
        assert flight.plan_bytes == plan_file()
        assert flight.mission_digest == flight.route.mission_digest != flight.plan_digest

    def test_GD_16_1__pilot_without_licence__refused(self, work, database):
        alter(database, "UPDATE core.qualification SET valid_to = '2025-07-01' WHERE kind = 'uas_licence'")
        with pytest.raises(RuleViolation) as caught:
            filed(work)
        assert texts(caught) == {"flight.no_licence"}

    def test_DC_2__route_that_is_not_published__refused(self, work):
        with work("F1") as unit, pytest.raises(RuleViolation) as caught:
            commands.file_flight(unit, filing(unit.session, route=find(unit.session, t.PatrolRoute, "R2")))
        assert rules(caught) == ["DC-2"]

    def test_GD_16_1__window_too_long_or_past__refused(self, work):
        for start, end, expected in (
            (START, START + timedelta(hours=13), "flight.window_length"),
            (START - timedelta(hours=3), START - timedelta(hours=2), "flight.window_past"),
        ):
            with pytest.raises(RuleViolation) as caught:
                filed(work, start=start, end=end)
            assert texts(caught) == {expected}

    def test_only_pilots_file(self, work):
        with work("O1") as unit, pytest.raises(RuleViolation) as caught:
            commands.file_flight(unit, filing(unit.session))
        assert caught.value.status == 403

    def test_file_that_cannot_be_read__refused_and_nothing_filed(self, work, session):
        with pytest.raises(RuleViolation):
            filed(work, data=b"not a plan")
        assert session.scalar(select(func.count()).select_from(t.Flight)) == 0


class TestPrecheck:
    def test_R1__in_every_format__passes(self, work):
        for suffix in (".plan", ".waypoints", ".geojson"):
            number = filed(work, data=plan_file(suffix=suffix), name="r1" + suffix)
            assert prechecked(work, number) == []

    def test_file_without_heights__passes_with_the_option_that_was_given(self, work):
        data = plan_file(alt_m=None, suffix=".geojson")
        number = filed(work, data=data, options={"alt_agl_m": 100.0})
        assert prechecked(work, number) == []

    def test_another_file_than_the_route__fails_with_every_rule_on_record(self, work, session):
        number = filed(work, data=plan_file(R4))
        assert set(prechecked(work, number)) == {"DC-2", "GD-16.3"}
        flight = session.scalars(select(t.Flight).where(t.Flight.public_id == number)).one()
        assert flight.state == "precheck_failed"
        assert {r["rule"] for r in flight.precheck["refusals"]} == {"DC-2", "GD-16.3"}
        assert flight.precheck["refusals_zh"][0]["message"]

    def test_failed_flight__amended_and_filed_again__passes(self, work):
        number = filed(work, data=plan_file(R4))
        prechecked(work, number)
        with work("F1") as unit:
            commands.refile_flight(unit, unit.get(t.Flight, number), plan_file(), "r1.plan", {})
            unit.commit()
        assert prechecked(work, number) == []

    def test_GD_16_5__quiet_hours_in_the_window__fails(self, work):
        number = filed(work, start=START.replace(hour=21, minute=30), end=START.replace(hour=22, minute=30))
        assert prechecked(work, number) == ["GD-16.5"]

    def test_GD_16_1__plan_that_does_not_name_the_area__fails(self, work, database):
        alter(database, "UPDATE core.inspection_plan SET area_ids = '[]'")
        assert prechecked(work, filed(work)) == ["GD-16.1"]

    def test_GD_16_4__mark_older_than_a_year__fails(self, work, database):
        alter(database, "UPDATE core.signage SET verified_on = '2024-06-01'")
        assert prechecked(work, filed(work)) == ["GD-16.4"]

    def test_ground_unknown__fails_closed(self, work):
        assert "GD-16.2" in prechecked(work, filed(work), UnknownGround())

    def test_GD_16_2__flight_above_the_controlled_height__passes_and_waits_for_airspace(self, work, database):
        """The published route itself is high: the check passes, clearance waits for the approval."""
        high, digest = _high_mission()
        alter(
            database,
            "UPDATE core.patrol_route SET alt_agl_m = 125, mission = CAST(:m AS jsonb), mission_digest = :d"
            " WHERE code = 'R1'",
            m=high,
            d=digest,
        )
        number = filed(work, data=plan_file(alt_m=125.0))
        assert prechecked(work, number) == []
        with work("SYSTEM") as unit:
            commands.await_airspace(unit, unit.get(t.Flight, number))
            unit.commit()
        with work("H1") as unit, pytest.raises(RuleViolation) as caught:
            commands.clear(unit, unit.get(t.Flight, number), GROUND)
        assert rules(caught) == ["GD-16.2"]
        _approve_airspace(database)
        with work("H1") as unit:
            commands.clear(unit, unit.get(t.Flight, number), GROUND)
            unit.commit()


def _high_mission():
    mission, digest = compile_fixture_mission(LineString(R1), Point(113.2545, 23.125), alt_agl_m=125.0)
    return json.dumps(mission), digest


def _approve_airspace(database):
    alter(
        database,
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
        number = cleared(work)
        assert session.scalar(select(t.Flight.state).where(t.Flight.public_id == number)) == "cleared"

    def test_nobody_else_clears(self, work):
        number = filed(work)
        prechecked(work, number)
        for code in ("F1", "O1", "N1", "SYSTEM"):
            with work(code) as unit, pytest.raises(RuleViolation) as caught:
                commands.clear(unit, unit.get(t.Flight, number), GROUND)
            assert caught.value.status == 403

    def test_GD_16_5__a_zone_created_after_the_precheck__refuses_clearance(self, work, database):
        number = filed(work)
        prechecked(work, number)
        _new_zone_on_R1(database)
        with work("H1") as unit, pytest.raises(RuleViolation) as caught:
            commands.clear(unit, unit.get(t.Flight, number), GROUND)
        assert rules(caught) == ["GD-16.5"]

    def test_GD_14_2__aircraft_blocked_meanwhile__refuses_clearance(self, work, database):
        number = filed(work)
        prechecked(work, number)
        alter(database, "UPDATE core.device SET state = 'blocked' WHERE name = 'DR1'")
        with work("H1") as unit, pytest.raises(RuleViolation) as caught:
            commands.clear(unit, unit.get(t.Flight, number), GROUND)
        assert rules(caught) == ["GD-14.2"]

    def test_DC_2__route_changed_meanwhile__refuses_clearance(self, work, database):
        number = filed(work)
        prechecked(work, number)
        alter(database, "UPDATE core.patrol_route SET route_version = 2 WHERE code = 'R1'")
        with work("H1") as unit, pytest.raises(RuleViolation) as caught:
            commands.clear(unit, unit.get(t.Flight, number), GROUND)
        assert texts(caught) == {"flight.route_changed"}

    def test_cancel__needs_a_reason(self, work):
        number = filed(work)
        with work("F1") as unit, pytest.raises(RuleViolation):
            commands.cancel(unit, unit.get(t.Flight, number), " ")
        with work("F1") as unit:
            commands.cancel(unit, unit.get(t.Flight, number), "wind")
            unit.commit()


def _new_zone_on_R1(database):
    around = Point(113.27, 23.125).buffer(0.0005, quad_segs=2)
    alter(
        database,
        "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, sensitive, buffer_m,"
        " source, valid_from, zone_version, origin, recorded_at) VALUES (:id, 'PZ-NEW', 'dormitory', 'New',"
        " '新', ST_GeomFromText(:wkt, 4326), false, 0, 'request', :since, 1, 'live', now())",
        id=uuid.uuid4(),
        wkt=around.wkt,
        since=datetime(2025, 7, 1, tzinfo=UTC),
    )


class TestFlight:
    def test_upload__only_of_a_cleared_flight(self, work):
        number = filed(work)
        prechecked(work, number)
        with work("F1") as unit:
            flight = unit.get(t.Flight, number)
            answer = read_back(unit, flight)
            with pytest.raises(RuleViolation) as caught:
                commands.mark_uploaded(unit, flight, GROUND, answer)
        assert texts(caught) == {"machine.unknown_transition"}

    @pytest.mark.parametrize("wrong", ["mission_digest", "fence_digest"])
    def test_DC_1__vehicle_holds_something_else__refused(self, work, wrong):
        number = cleared(work)
        with work("F1") as unit:
            flight = unit.get(t.Flight, number)
            answer = replace(read_back(unit, flight), **{wrong: "0" * 64})
            with pytest.raises(RuleViolation) as caught:
                commands.mark_uploaded(unit, flight, GROUND, answer)
        assert texts(caught) == {"flight.vehicle_differs"}

    def test_DC_1__a_zone_after_the_upload__the_fence_on_board_is_old__no_take_off(self, work, database):
        number = uploaded(work)
        alter(
            database,
            "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, sensitive, buffer_m,"
            " source, valid_from, zone_version, origin, recorded_at) VALUES (:id, 'PZ-FAR', 'dormitory', 'Far',"
            " '远', ST_GeomFromText(:wkt, 4326), false, 0, 'request', :since, 1, 'live', now())",
            id=uuid.uuid4(),
            wkt=box(113.28, 23.135, 113.281, 23.136).wkt,
            since=datetime(2025, 7, 1, tzinfo=UTC),
        )
        with work("F1") as unit, pytest.raises(RuleViolation) as caught:
            commands.mark_airborne(unit, unit.get(t.Flight, number), GROUND)
        assert texts(caught) == {"flight.vehicle_differs"}

    def test_GD_16_1__outside_the_window__no_take_off(self, work, clock):
        number = uploaded(work)
        clock.advance(timedelta(hours=2))
        with work("F1") as unit, pytest.raises(RuleViolation) as caught:
            commands.mark_airborne(unit, unit.get(t.Flight, number), GROUND)
        assert texts(caught) == {"flight.not_in_window"}

    def test_from_upload_to_the_public_log(self, work, session, clock):
        number = uploaded(work)
        with work("F1") as unit:
            commands.mark_airborne(unit, unit.get(t.Flight, number), GROUND)
            unit.commit()
        clock.advance(timedelta(minutes=12))
        with work("SYSTEM") as unit, pytest.raises(RuleViolation) as caught:
            commands.mark_landed(unit, unit.get(t.Flight, number))
        assert texts(caught) == {"flight.no_track"}
        with work("SYSTEM") as unit:
            flight = unit.get(t.Flight, number)
            for second in (0, 1, 2):
                unit.session.add(_telemetry(flight.id, clock.now(), second))
            unit.session.flush()
            commands.mark_landed(unit, flight, tlog_sha256="0" * 64)
            unit.commit()
        with work("F1") as unit:
            far = commands.Deviation(lateral_m=49.8, vertical_m=3.0, stayed_inside=True)
            commands.mark_ingested(unit, unit.get(t.Flight, number), far)
            unit.commit()
        with work("F1") as unit, pytest.raises(RuleViolation) as caught:
            commands.close(unit, unit.get(t.Flight, number))
        assert texts(caught) == {"flight.deviation_unexplained"}
        with work("F1") as unit:
            commands.close(unit, unit.get(t.Flight, number), note="a gust near the river")
            unit.commit()
        flight = session.scalars(select(t.Flight).where(t.Flight.public_id == number)).one()
        assert (flight.state, flight.deviation_note) == ("closed", "a gust near the river")
        assert flight.during.upper == flight.landed_at

    def test_two_flights_of_one_aircraft_at_one_time__the_database_refuses(self, work):
        uploaded(work)
        with pytest.raises(RuleViolation) as caught:
            uploaded(work)
        assert rules(caught) == ["DC-1"]

    def test_abort__by_the_pilot_with_a_reason(self, work, session):
        number = uploaded(work)
        with work("F1") as unit:
            commands.mark_aborted(unit, unit.get(t.Flight, number), "link lost")
            unit.commit()
        assert session.scalar(select(t.Flight.state).where(t.Flight.public_id == number)) == "aborted"


def _telemetry(flight_id, at, second):
    return t.TelemetryPoint(
        flight_id=flight_id,
        received_at=at + timedelta(seconds=second),
        boot_ms=second * 1000,
        geom=from_shape(Point(113.255 + second / 1e4, 23.125), srid=4326),
        alt_rel_home_m=100.0,
        alt_amsl_m=112.0,
        implausible=False,
    )


class TestInspectionPlan:
    def draft(self, unit, **changes):
        session = unit.session
        fields = {
            "number": "IP-2",
            "title_en": "Second plan (fictional)",
            "title_zh": "第二计划（虚构）",
            "authority": session.scalars(select(t.Authority).where(t.Authority.code == "A1")).one(),
            "item": session.scalars(select(t.SupervisionItem)).one(),
            "areas": [find(session, t.PatrolArea, "PA1")],
            "valid_from": date(2025, 7, 1),
            "valid_to": date(2026, 6, 30),
        }
        return commands.draft_inspection_plan(unit, commands.NewInspectionPlan(**fields | changes))

    def drafted(self, work, code="N1", **changes):
        with work(code) as unit:
            number = self.draft(unit, **changes).public_id
            unit.commit()
            return number

    def step(self, work, code, number, command, **params):
        with work(code) as unit:
            command(unit, unit.get(t.InspectionPlan, number), **params)
            unit.commit()

    def submitted(self, work):
        number = self.drafted(work)
        self.step(work, "N1", number, commands.check_inspection_plan)
        self.step(work, "N1", number, commands.submit_inspection_plan)
        return number

    def test_GD_16_1__unit_head_approves(self, work, session):
        number = self.submitted(work)
        self.step(work, "H1", number, commands.approve_inspection_plan)
        plan = session.scalars(select(t.InspectionPlan).where(t.InspectionPlan.public_id == number)).one()
        assert plan.state == "approved"
        assert plan.approved_at is not None

    def test_GD_16_1__nobody_else_approves(self, work):
        number = self.submitted(work)
        for code in ("F1", "O1", "N1"):
            with pytest.raises(RuleViolation) as caught:
                self.step(work, code, number, commands.approve_inspection_plan)
            assert caught.value.status == 403

    @pytest.mark.parametrize("valid_to", [date(2026, 7, 1), date(2025, 6, 30)])
    def test_GD_16_1__longer_than_a_year_or_backwards__refused(self, work, valid_to):
        number = self.drafted(work, valid_to=valid_to)
        with pytest.raises(RuleViolation) as caught:
            self.step(work, "N1", number, commands.check_inspection_plan)
        assert texts(caught) == {"inspection.period"}

    def test_GD_31_2__names_no_object__refused(self, work):
        number = self.drafted(work, areas=[])
        with pytest.raises(RuleViolation) as caught:
            self.step(work, "N1", number, commands.check_inspection_plan)
        assert rules(caught) == ["GD-31.2"]

    def test_GD_16_1__flight_under_a_plan_that_is_not_approved__fails(self, work):
        number = self.submitted(work)
        assert prechecked(work, filed(work, inspection=number)) == ["GD-16.1"]

    def test_expire__only_after_the_last_day(self, work, clock):
        number = self.submitted(work)
        self.step(work, "H1", number, commands.approve_inspection_plan)
        with work("SYSTEM") as unit, pytest.raises(RuleViolation) as caught:
            unit.apply(unit.get(t.InspectionPlan, number), "expire")
        assert texts(caught) == {"inspection.not_over"}
        clock.advance(timedelta(days=365))
        with work("SYSTEM") as unit:
            unit.apply(unit.get(t.InspectionPlan, number), "expire")
            unit.commit()


def test_published_mission__read_from_the_database__has_the_published_digest(session):
    route = find(session, t.PatrolRoute, "R1")
    mission = queries.mission_of(route)
    assert mission.digest == route.mission_digest
    again = read_plan(write_plan(mission.plan, ".plan"))
    assert queries.mission_of(route).plan.items[0].at == again.items[0].at


def test_fence__area_keeps_in_and_zones_keep_out(session):
    fence = queries.fence_of(session, find(session, t.PatrolRoute, "R1"), START, END)
    assert [(p.inclusion, len(p.ring)) for p in fence.polygons] == [(True, 4), (False, 4)]
