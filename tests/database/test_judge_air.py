"""The database shares out the air: no two flights that are cleared hold any of it together, however they come."""

import re
import threading
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import select, text

from flights import commands
from flights.air.held import traffic_near
from geo import shapes
from schemas import tables as t
from schemas.refusals import RuleViolation
from schemas.store.judge import translate
from tests.database.flying import END, GROUND, START, airborne, cleared, do, prechecked, refused, row, texts, uploaded
from tests.database.plain import connect, rule_of

APPROVERS = 8
HELD = (
    "INSERT INTO core.flight_volume (flight_id, ordinal, part, geom, alt_agl_min_m, alt_agl_max_m, during)"
    " SELECT id, %(ordinal)s, 'route', %(geom)s, %(low)s, %(high)s, %(during)s FROM core.flight"
    " WHERE public_id = %(flight)s"
)
# Beside R1, from where its corridor is.
STRIP = "SRID=4326;POLYGON((113.26 23.1300,113.28 23.1300,113.28 23.1310,113.26 23.1310,113.26 23.1300))"
# Whose box lies over the corridor of R1, and itself does not.
HOOK = (
    "SRID=4326;POLYGON((113.2530 23.1230,113.284 23.1230,113.284 23.1240,113.2535 23.1240,113.2535 23.1270,"
    "113.2530 23.1270,113.2530 23.1230))"
)


def volumes(session, number):
    flight = row(session, number)
    return session.scalars(select(t.FlightVolume).where(t.FlightVolume.flight_id == flight.id)).all()


def values(flight, geom=STRIP, *, low=65, high=135, during=f"[{START},{END})", ordinal=900):
    return {"flight": flight, "geom": geom, "low": low, "high": high, "during": during, "ordinal": ordinal}


@pytest.fixture
def plainly(database):
    """A connection in plain SQL as the application role."""
    with connect(database) as connection:
        yield connection


class TestClearing:
    def test_DC_2__takes_the_air_of_the_whole_route(self, work, session):
        held = volumes(session, cleared(work))
        assert {volume.part for volume in held} == {"column", "transit", "route", "return"}
        assert all(volume.freed_at is None for volume in held)

    def test_DC_2__filed_or_checked__holds_nothing(self, work, session):
        assert volumes(session, prechecked(work)) == []

    def test_DC_2__second_flight_on_the_route__refused_with_the_first_ones_number_place_and_overlap(self, work):
        first, second = cleared(work), prechecked(work)
        (refusal,) = refused(work, "H1", commands.clear, second, GROUND).refusals
        assert (refusal.rule, refusal.text) == ("DC-2", "flight.air_taken")
        assert first in refusal.message("en")
        assert first in refusal.message("zh")
        assert refusal.place["type"] in ("Polygon", "MultiPolygon")
        assert "2025-07-02 10:00" in refusal.measured or "2025-07-02 09:59" in refusal.measured
        assert "0-135 m" in refusal.measured

    def test_DC_2__two_flights_in_the_way__both_told(self, work):
        half = START + timedelta(minutes=20)
        early, late = cleared(work, end=half), cleared(work, start=half + timedelta(minutes=1), end=END)
        violation = refused(work, "H1", commands.clear, prechecked(work), GROUND)
        assert {refusal.params["flight"] for refusal in violation.refusals} == {early, late}

    def test_DC_2__after_the_first_ones_window__cleared(self, work, session):
        cleared(work)
        later = {"start": END + timedelta(minutes=1), "end": END + timedelta(minutes=40)}
        assert row(session, cleared(work, **later)).state == "cleared"

    @pytest.mark.parametrize("end", ["cancel", "abort", "land"])
    def test_DC_2__first_flight_over__its_air_is_free(self, work, session, clock, end):
        if end == "cancel":
            first = cleared(work)
            do(work, "F1", commands.cancel, first, "fog")
        else:
            first = airborne(work)
            do(work, "F1", commands.mark_aborted, first, "fog") if end == "abort" else land(work, clock, first)
        assert all(volume.freed_at is not None for volume in volumes(session, first))
        assert row(session, cleared(work)).state == "cleared"

    def test_DC_2__battery_change__its_air_is_held_on(self, work, session):
        number = airborne(work)
        do(work, "SYSTEM", commands.mark_set_down, number, "battery")
        assert all(volume.freed_at is None for volume in volumes(session, number))

    def test_GD_16_1__taking_off_too_late_to_land_in_the_window__refused(self, work, clock):
        number = uploaded(work)
        clock.advance(timedelta(minutes=36))
        assert texts(refused(work, "F1", commands.mark_airborne, number, GROUND)) == {"flight.lands_late"}

    def test_DC_2__check_is_told_of_the_traffic_and_not_of_ones_own(self, work, session):
        first, second = cleared(work), prechecked(work)
        near = shapes.line(row(session, first).route.geom)
        found = traffic_near(session, near, START, END, without=row(session, second).id)
        assert {volume.flight for volume in found} == {first}
        assert traffic_near(session, near, START, END, without=row(session, first).id) == ()
        assert traffic_near(session, near, END + timedelta(hours=1), END + timedelta(hours=2)) == ()


def land(work, clock, number):
    from tests.database.test_flights_life import report

    clock.advance(timedelta(minutes=12))
    do(work, "SYSTEM", report, number, landed=True)


class TestEightAtOnce:
    def test_DC_2__eight_approvers_clear_eight_flights_in_one_air__one_wins_and_seven_are_told(self, work, session):
        """Real connections; the guard sees free air eight times over, and the database decides."""
        numbers = [prechecked(work) for _ in range(APPROVERS)]
        ready, outcomes = threading.Barrier(APPROVERS), {}

        def approve(number):
            try:
                with work("H1") as unit:
                    flight = unit.get(t.Flight, number)
                    commands.clear(unit, flight, GROUND)  # every guard has passed when all of them meet here
                    ready.wait(100)
                    unit.commit()
                    outcomes[number] = "cleared"
            except RuleViolation as violation:
                outcomes[number] = violation
            except BaseException as error:  # whatever else happens is a failure of this test
                outcomes[number] = error
                ready.abort()

        approvers = [threading.Thread(target=approve, args=(number,)) for number in numbers]
        for approver in approvers:
            approver.start()
        for approver in approvers:
            approver.join()
        winners = [number for number in numbers if outcomes[number] == "cleared"]
        assert len(winners) == 1, outcomes
        for number in set(numbers) - set(winners):
            (refusal,) = outcomes[number].refusals
            assert (refusal.rule, refusal.text, outcomes[number].status) == ("DC-2", "judge.air_is_taken", 409)
            assert refusal.measured.startswith(f"{winners[0]}, 2025-07-02T0")
            assert refusal.measured.endswith(" m")
            assert refusal.place["type"] in ("Polygon", "MultiPolygon")
        held = session.execute(text("SELECT DISTINCT flight_id FROM core.flight_volume")).scalars().all()
        assert held == [row(session, winners[0]).id]

    def test_DC_2__eight_plain_connections__one_wins(self, work, database):
        number, other = cleared(work), self.second(work)
        ready, outcomes = threading.Barrier(APPROVERS), []

        def insert(ordinal):
            with connect(database) as connection:
                ready.wait(100)
                try:
                    # Two flights take turns, so that half of them stand against the other half.
                    holder = (number, other)[ordinal % 2]
                    connection.execute(HELD, values(holder, ordinal=1000 + ordinal))
                    outcomes.append(holder)
                except psycopg.errors.ExclusionViolation as error:
                    outcomes.append(rule_of(error))

        threads = [threading.Thread(target=insert, args=(ordinal,)) for ordinal in range(APPROVERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count("DC-2") == APPROVERS // 2, outcomes
        assert len(set(outcomes) - {"DC-2"}) == 1

    @staticmethod
    def second(work):
        """A flight that is cleared for later, on the same route."""
        return cleared(work, start=END + timedelta(minutes=10), end=END + timedelta(minutes=50))


class TestPlainSql:
    @pytest.fixture
    def two(self, work):
        """A flight now and one later on the same route."""
        return cleared(work), TestEightAtOnce.second(work)

    def test_DC_2__volume_over_anothers_corridor__refused(self, plainly, two, refused_by):
        corridor = "SRID=4326;POLYGON((113.27 23.12,113.271 23.12,113.271 23.13,113.27 23.13,113.27 23.12))"
        with refused_by("DC-2"):
            plainly.execute(HELD, values(two[1], corridor))

    @pytest.mark.parametrize(
        "change_of",
        [
            {"geom": STRIP},
            {"geom": HOOK},
            {"low": 135, "high": 300},
            {"during": f"[{END + timedelta(seconds=5)},{END + timedelta(hours=1)})"},
        ],
    )
    def test_DC_2__beside_above_or_afterwards__taken(self, plainly, two, change_of):
        corridor = "SRID=4326;POLYGON((113.27 23.12,113.271 23.12,113.271 23.13,113.27 23.13,113.27 23.12))"
        plainly.execute(HELD, values(two[1], **({"geom": corridor} | change_of)))

    @pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
    def test_DC_2__transaction_that_sees_an_older_state__refused(self, plainly, two, refused_by, level):
        with refused_by("DC-2"), plainly.transaction():
            plainly.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
            plainly.execute(HELD, values(two[0]))

    def test_DC_2__flight_that_is_not_cleared__takes_nothing(self, plainly, work, refused_by):
        with refused_by("DC-2"):
            plainly.execute(HELD, values(prechecked(work)))

    @pytest.mark.parametrize(
        "assignment",
        [
            "freed_at = now()",
            "during = '[2020-01-01,2020-01-02)'",
            "alt_agl_max_m = alt_agl_min_m + 1",
            "flight_id = (SELECT id FROM core.flight LIMIT 1), ordinal = 5000",
            "part = 'x'",
        ],
    )
    def test_DC_2__held_air__stays_as_it_is(self, plainly, work, refused_by, assignment):
        cleared(work)
        with refused_by("DC-2"):
            plainly.execute(f"UPDATE core.flight_volume SET {assignment}")

    def test_DC_2__freed_air__never_held_again(self, plainly, work, refused_by):
        number = cleared(work)
        do(work, "F1", commands.cancel, number, "fog")
        with refused_by("DC-2"):
            plainly.execute("UPDATE core.flight_volume SET freed_at = NULL")

    def test_DC_2__cleared_by_plain_sql__not_without_its_air(self, plainly, work, refused_by):
        number = prechecked(work)
        with refused_by("DC-2"):
            plainly.execute("UPDATE core.flight SET state = 'cleared' WHERE public_id = %s", [number])

    def test_DC_2__cleared_with_air_elsewhere__refused(self, plainly, work, refused_by):
        number = prechecked(work)
        with refused_by("DC-2"), plainly.transaction():
            plainly.execute("UPDATE core.flight SET state = 'cleared' WHERE public_id = %s", [number])
            plainly.execute(HELD, values(number))

    def test_DC_2__cancelled_by_plain_sql__its_air_is_free(self, plainly, work, session):
        number = cleared(work)
        plainly.execute("UPDATE core.flight SET state = 'cancelled' WHERE public_id = %s", [number])
        assert all(volume.freed_at is not None for volume in volumes(session, number))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"low": float("nan")},
            {"high": float("nan")},
            {"high": float("inf")},
            {"low": -1},
            {"low": 200, "high": 100},
            {"during": "empty"},
            {"during": f"[{START},)"},
            {"geom": "SRID=4326;POLYGON((0 0,1 1,1 0,0 1,0 0))"},
            {"geom": "SRID=4326;POLYGON EMPTY"},
        ],
    )
    def test_DC_4__unsound_volume__refused(self, plainly, two, refused_by, wrong):
        with refused_by("DC-4"):
            plainly.execute(HELD, values(two[0], **wrong))

    def test_public_role__sees_no_volume(self, database):
        with connect(database, "skywarden_public") as public, pytest.raises(psycopg.errors.InsufficientPrivilege):
            public.execute("SELECT FROM core.flight_volume")


def test_refusal_of_the_trigger__in_both_languages(work, plainly):
    first, second = cleared(work), TestEightAtOnce.second(work)
    corridor = "SRID=4326;POLYGON((113.27 23.12,113.271 23.12,113.271 23.13,113.27 23.13,113.27 23.12))"
    with pytest.raises(psycopg.errors.ExclusionViolation) as caught:
        plainly.execute(HELD, values(second, corridor))

    class Wrapped:
        orig = caught.value

    (refusal,) = translate(Wrapped()).refusals
    assert re.fullmatch(rf"{first}, 2025-07-02T02:0\d-02:[34]\dZ, 65-135 m", refusal.measured)
    assert refusal.message("zh") == "另一飞行已占用本次飞行所需空域。"
    assert refusal.place["type"] == "Polygon"
