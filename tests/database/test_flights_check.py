"""A plan judged against what the database holds, and what it publishes of a route: its mission and its fence."""

import uuid

import pytest
from shapely.geometry import box

from flights import queries
from flights.check.situation import Options
from flights.formats import read_plan, write_plan
from schemas import tables as t
from schemas.refusals import RuleViolation
from schemas.store.work import find
from tests.database.flying import END, GROUND, START, change, cleared, new_zone
from tests.situations import R1, R2, R3, R4, drawn


def ask(services, line, at=START, alt_m=100.0, **options):
    with services.session() as session:
        plan = drawn(line, alt_m=alt_m)
        asked = queries.Asked(at, Options(**options), queries.usual_drone(session))
        pack = queries.rules_for(services.rulebook, plan, at)
        return queries.judge(session, pack, GROUND, plan, asked)


def found(verdict):
    return [refusal.text for refusal in verdict.refusals]


def test_R1__passes_with_the_aircraft_that_is_in_use(services):
    verdict = ask(services, R1)
    assert verdict.ok, verdict.render()
    assert verdict.route == "RT-R1"
    assert verdict.clearances[0].zone == "PZ-Z1"


@pytest.mark.parametrize(
    ("line", "at", "expected"),
    [
        (R2, START, {"GD-16.5", "DC-2"}),
        (R3, START, {"GD-16.5", "DC-2"}),
        (R4, START, {"GD-16.3", "DC-2"}),
        (R1, START.replace(month=6, day=30), {"GD-14.2"}),
        (R1, START.replace(hour=23), {"GD-16.5"}),
    ],
    ids=["R2", "R3", "R4", "a_day_early", "at_night"],
)
def test_fixture_routes__refused_as_written(services, line, at, expected):
    assert {refusal.rule for refusal in ask(services, line, at).refusals} == expected


def test_GD_02_1__outside_every_jurisdiction__refused(services):
    verdict = ask(services, [(8.54, 47.39), (8.55, 47.39)])
    assert [refusal.rule for refusal in verdict.refusals] == ["GD-02.1", "GD-16.3"]


def test_DC_2__route_far_away_is_named__refused_as_different(services):
    assert "flight.route_differs" in found(ask(services, [(113.30, 23.10), (113.31, 23.10)], route="R1"))


def test_airspace_and_homes__are_read_from_the_layers(services, past_the_judge):
    near = box(113.26, 23.12, 113.265, 23.13).wkt
    for code, layer, kind in (("CF-WATER", "protected", "drinking_water_source"), ("CF-HOMES", "residential", None)):
        change(
            past_the_judge,
            "INSERT INTO core.context_feature (id, public_id, layer, name, kind, attributes, geom, origin)"
            " VALUES (:id, :code, :layer, :code, :kind, '{}', ST_GeomFromText(:wkt, 4326), 'sample')",
            id=uuid.uuid4(),
            code=code,
            layer=layer,
            kind=kind,
            wkt=near,
        )
    assert found(ask(services, R1)) == ["flight.airspace"]
    assert "flight.low_over_homes" in found(ask(services, R1, alt_m=50.0))


def test_drone_unknown__404(session):
    with pytest.raises(RuleViolation) as caught:
        queries.drone_named(session, "DR9")
    assert caught.value.status == 404


def test_drone__name_that_two_devices_share__refused_and_found_by_its_registration(session, past_the_judge):
    drone = queries.drone_named(session, "DR1")
    change(past_the_judge, "UPDATE core.device SET name = 'DR1'")
    change(
        past_the_judge,
        "INSERT INTO core.drone SELECT (jsonb_populate_record(d, jsonb_build_object('device_id', other.id,"
        " 'registration_no', 'TWIN'))).* FROM core.drone d, core.device other WHERE other.id <> d.device_id LIMIT 1",
    )
    with pytest.raises(RuleViolation) as caught:
        queries.drone_named(session, "DR1")
    assert caught.value.refusals[0].rule == "flight.drone_ambiguous"
    assert queries.drone_named(session, drone.registration_no).device_id == drone.device_id


def test_published_mission__read_from_the_database__has_the_published_digest(session):
    route = find(session, t.PatrolRoute, "R1")
    mission = queries.mission_of(route)
    assert mission.digest == route.mission_digest
    again = read_plan(write_plan(mission.plan, ".plan"))
    assert mission.plan.items[0].at == again.items[0].at


def test_fence__area_keeps_in_and_zones_keep_out(session):
    fence = queries.fence_of(session, find(session, t.PatrolRoute, "R1"), START, END)
    assert [(p.inclusion, len(p.ring)) for p in fence.polygons] == [(True, 4), (False, 4)]


def test_DC_2__plan_check__is_told_of_the_air_that_another_flight_holds(services, work):
    number = cleared(work)
    assert found(ask(services, R1)) == ["flight.air_taken"]
    with services.session() as session:
        flight = find(session, t.Flight, number)
        pack = queries.rules_for(services.rulebook, queries.mission_of(flight.route).plan, START)
        assert queries.judge_flight(session, pack, GROUND, flight).ok, "a flight is not in its own way"


def test_GD_16_1__verdict_on_a_flight__asks_for_the_licence_of_its_pilot(services, work, past_the_judge):
    number = cleared(work)
    change(past_the_judge, "UPDATE core.qualification SET valid_to = valid_from WHERE kind = 'uas_licence'")
    with services.session() as session:
        flight = find(session, t.Flight, number)
        pack = queries.rules_for(services.rulebook, queries.mission_of(flight.route).plan, START)
        assert found(queries.judge_flight(session, pack, GROUND, flight)) == ["flight.no_licence"]


def test_GD_16_5__endurance_of_the_drone__is_read_and_counts(services, past_the_judge):
    change(past_the_judge, "UPDATE core.drone SET endurance_min = 14")
    assert found(ask(services, R1)) == ["flight.endurance"]


def test_GD_16_5__zone_in_the_way_home__is_found_though_it_lies_far_from_the_line(services, past_the_judge):
    """Home lies west and the line bows south around the zone: it is no nearer than a kilometre and a half."""
    change(past_the_judge, "UPDATE core.privacy_zone SET valid_to = '2025-05-02'")
    new_zone(past_the_judge, box(113.2699, 23.1388, 113.2701, 23.1390))
    bow = [(113.2520, 23.1389), (113.2520, 23.1215), (113.2880, 23.1215), (113.2880, 23.1389)]
    assert "flight.way_in_zone" in found(ask(services, [*bow, *bow[-2::-1]]))
