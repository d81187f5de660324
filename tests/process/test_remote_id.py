"""The Remote ID of an aircraft through a whole flight: simulated module, real line, gateway, database, verdict."""

from __future__ import annotations

import pytest

from flights import commands, gateway, verdicts
from flights.ground import open_ground
from flights.simulator.identity import WRONG_SERIAL
from flights.simulator.options import Faults, Identity
from schemas import tables as t
from schemas.clock import ScaledClock
from schemas.store.work import find
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.process.flying import Flying

SPEED = 120.0
SERIAL = "1581F5BKD223Q00A1234"
OPERATOR = "CHN-OP-0001"
IDENTITY = Identity(SERIAL, OPERATOR)


@pytest.fixture
def flown(under_clock, cleared, simulated, admin, monkeypatch):
    """`flown(identity, **faults)` flies the flight to its end with an aircraft whose serial number is known."""
    admin.execute("UPDATE core.device SET serial_no = %s WHERE id IN (SELECT device_id FROM core.drone)", (SERIAL,))
    admin.commit()
    # A second of the aircraft is a small part of ours.
    monkeypatch.setattr("flights.gateway.identity.CHANGES_EVERY_S", 0.0)

    def fly(identity, places_every_s=0.2, **faults):
        monkeypatch.setattr("flights.gateway.identity.PLACES_EVERY_S", places_every_s)
        clock = ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, SPEED)
        _, url = simulated(speed_up=SPEED, start_time=clock.now(), identity=identity, faults=Faults(**faults))
        flying = Flying(under_clock(clock), cleared, url)
        flying.end()
        return flying

    return fly


def notes(flying):
    return flying.flight().vehicle["report"]["remote_id"]


def told(flying):
    return [facts["reasons"] for step, facts in flying.told if step is gateway.Step.REMOTE_ID]


def test_remote_id__of_the_register__match_from_before_the_take_off_to_the_end(flown, admin):
    flying = flown(IDENTITY)
    bodies = flying.events("remote_id")
    assert {body["state"] for body in bodies} == {"match"}
    assert bodies[0]["ids"] == [{"id_type": "serial_number", "uas_id": SERIAL}]
    assert {body["status"] for body in bodies if "status" in body} == {"ground", "airborne"}
    assert [body["changed"] for body in bodies] == [True] + [False] * (len(bodies) - 1)
    assert bodies[-1]["operator_id"] == OPERATOR
    assert max(body["apart_m"] or 0.0 for body in bodies) < 12
    assert told(flying) == []
    assert notes(flying)["matched"]
    assert notes(flying)["spoke_against"] == []

    # Where the operator stood is in the events of the flight alone: not in its verdict, the ledger or the public log.
    place = next(body["operator_at"] for body in bodies if body.get("operator_at"))
    assert place == pytest.approx([113.2545, 23.125], abs=1e-4)
    assert "operator" not in str(flying.flight().vehicle)
    close(flying)
    kept = published(admin)
    assert flying.number in kept
    for secret in (OPERATOR, SERIAL, "operator_at", "remote_id", *map(str, place)):
        assert secret not in kept

    # The raw record of the line says the same of it, by the same arithmetic.
    assert logged(flying) == notes(flying) | {"apart_most_m": logged(flying)["apart_most_m"]}


def logged(flying):
    """What the verdict on the raw record of the line says."""
    house = flying.house
    (path,) = (house.data_dir / "flights" / flying.number).glob("*.tlog")
    with open_ground(house.data_dir) as ground, house.session() as session:
        flight = find(session, t.Flight, flying.number)
        pack = house.rulebook.at_place(verdicts.place_of(flight), verdicts.flown_at(flight))
        return verdicts.judge_log(flight, pack, path, ground).body["remote_id"]


def close(flying):
    with flying.house.work(flying.house.actor("F1")) as work:
        flight = work.get(t.Flight, flying.number)
        commands.mark_ingested(work, flight, commands.Deviation(lateral_m=2.0, vertical_m=2.0, stayed_inside=True))
        work.commit()
    with flying.house.work(flying.house.actor("F1")) as work:
        commands.close(work, work.get(t.Flight, flying.number))
        work.commit()


def published(admin):
    """Everything that the public may read of flights, and what is chained for all time."""
    log = admin.execute("SELECT to_jsonb(l)::text FROM public_map.flight_log l").fetchall()
    chained = admin.execute("SELECT convert_from(e.body, 'UTF8') FROM ledger.event e WHERE e.subject_kind = 'flight'")
    assert log
    return "\n".join(row for (row,) in (*log, *chained))


def test_remote_id__another_serial_number_and_place__told_recorded_and_in_the_verdict(flown):
    flying = flown(IDENTITY, 1e9, wrong_remote_id=True, remote_id_off_m=300.0)
    bodies = flying.events("remote_id")
    assert {body["state"] for body in bodies} == {"mismatch"}
    assert bodies[0]["reasons"] == ["serial_number"]
    assert bodies[0]["registered"] == {"serial_number": SERIAL}
    assert bodies[-1]["reasons"] == ["serial_number", "position"]
    assert told(flying)[0] == "serial number"
    assert told(flying)[-1] == "serial number, position"
    assert notes(flying)["spoke_against"] == ["position", "serial_number"]
    assert notes(flying)["ids"] == [["serial_number", WRONG_SERIAL]]
    assert notes(flying)["apart_most_m"] == pytest.approx(300, abs=20)
    assert logged(flying)["spoke_against"] == ["position", "serial_number"]
    assert logged(flying)["apart_most_m"] == pytest.approx(300, abs=20)
    # It says nothing of where the aircraft flew, and what is fixed is told when it changes, not each second.
    assert flying.flight().vehicle["report"]["as_published"] is True
    assert [body["reasons"] for body in bodies if body["changed"]] == [["serial_number"], ["serial_number", "position"]]
    assert len(bodies) < 15


def test_no_remote_id__no_rule_asks_for_it__said_once_and_flown(flown):
    flying = flown(None)
    assert [body["state"] for body in flying.events("remote_id")] == ["absent"]
    assert flying.flight().state == "landed"
    assert notes(flying)["heard"] is False
    assert logged(flying)["heard"] is False
