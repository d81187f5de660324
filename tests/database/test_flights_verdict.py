"""Verdicts on logs: one engine for .tlog and .BIN, kept for good, told to the public only after closing."""

import json
from datetime import timedelta

import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from flights import commands, queries, verdicts
from flights.conformance import STATES
from flights.tracks import track_of
from flights.vehicle_orders import RouteSpan
from schemas import tables as t
from schemas.refusals import RuleViolation
from schemas.store.work import find
from tests.database.flying import START, cleared, filed, uploaded
from tests.flightlogs import Track, bin_of, tlog_of
from web.cli.common import State
from web.cli.flight import flight as flight_group

UTC0 = START.timestamp() + 120
END_LON, LON, LAT = 113.285, 113.255, 23.125
DESCENT_S = 10


@pytest.fixture
def run(services, ground):
    def call(*arguments, lang="en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(flight_group, [str(a) for a in arguments], obj=state, catch_exceptions=False)

    return call


def along_r1(services, number, *, off_m=0.0, hz=5.0, share=1.0, speed=10.0, start_s=60.0, lands=True):
    """A flight of R1 from end to end, `off_m` beside it in its middle third."""
    with services.session() as session:
        flight = find(session, t.Flight, number)
        mission = queries.mission_of(flight.route)
        span = RouteSpan.of(mission.items)
        items = [item.wire() for item in mission.items]
    seconds = share * 3070 / speed
    s = np.arange(0, seconds, 1 / hz)
    lon = LON + s * speed / 3070.4 * (END_LON - LON)
    third = (s > seconds / 3) & (s < 2 * seconds / 3)
    lat = LAT + np.where(third, off_m / 110_760, 0.0)
    shots = tuple(float(one) for one in (start_s + s)[:: round(5 * hz)])
    item, alt = np.full(len(s), span.after + 1), np.full(len(s), 100.0)
    if lands:
        down = np.arange(0, DESCENT_S, 1 / hz)
        lon, lat = (np.append(degrees, np.full(len(down), degrees[-1])) for degrees in (lon, lat))
        s = np.append(s, s[-1] + 1 / hz + down)
        item, alt = np.append(item, np.full(len(down), span.last + 1)), np.append(alt, 100 * (1 - down / DESCENT_S))
    ones = np.ones(len(s))
    track = Track(start_s + s, lon, lat, alt, speed * ones, 90 * ones, item, shots)
    return track, items


@pytest.fixture
def log(services, tmp_path):
    """`log(number, "bin", off_m=0)` writes a log of the flight and gives its path."""

    def write(number, kind="bin", name="00000001", moved=False, offset_s=0.0, **options):
        track, items = along_r1(services, number, **options)
        if moved:
            items = [items[0], *[i._replace(x=i.x + 45) if i.x else i for i in items[1:]]]
        utc_s = UTC0 - track.t[0] + offset_s
        made = bin_of(track, mission=items, boot_utc_s=utc_s) if kind == "bin" else tlog_of(
            track, receipt_utc_s=utc_s, boot_utc_s=utc_s
        )  # fmt: skip
        path = tmp_path / f"{name}.{kind}"
        path.write_bytes(made)
        return path

    return write


@pytest.fixture
def declared(work, run, log):
    number = cleared(work)
    result = run("judge", log(number), "--flight", number, "--declare-flown", "--as", "F1", "--json")
    assert result.exit_code == 0, result.output
    return number, json.loads(result.output)


def test_DC_1__flight_without_a_link__declared_flown_and_judged_from_its_log(declared, session):
    number, body = declared
    assert body["as_published"]
    assert (body["source"], body["clock"]["source"], body["clock"]["leap_s"]) == ("bin", "gps", 18)
    assert body["mission"]["is_published"] is True
    assert body["timed"]
    assert [one["state"] for one in body["states"]] == ["activated"]
    assert {one["name"] for one in body["thresholds"]} >= {"tolerance_m", "conforming_share", "debounce_s"}
    assert all(one["source"] for one in body["thresholds"])
    flight = find(session, t.Flight, number)
    assert flight.state == "landed"
    assert abs(flight.airborne_at.timestamp() - UTC0) < 1
    assert flight.landed_at - flight.airborne_at == pytest.approx(
        timedelta(seconds=307 + DESCENT_S), abs=timedelta(seconds=1)
    )
    assert flight.flown_track is not None


def test_DC_1__declared_flight__handed_in_and_closed_like_any_other(declared, work, session):
    number, _ = declared
    with work("F1") as unit:
        flight = unit.get(t.Flight, number)
        report = flight.vehicle["report"]
        deviation = commands.Deviation(**{name: report[name] for name in ("lateral_m", "vertical_m", "stayed_inside")})
        commands.mark_ingested(unit, flight, deviation)
        unit.commit()
    with work("F1") as unit:
        commands.close(unit, unit.get(t.Flight, number))
        unit.commit()
    assert find(session, t.Flight, number).state == "closed"


def test_DC_1__log_with_another_mission__not_as_published(work, run, log):
    number = cleared(work)
    result = run("judge", log(number, moved=True), "--flight", number, "--declare-flown", "--as", "F1", "--json")
    body = json.loads(result.output)
    assert body["mission"]["is_published"] is False
    assert not body["as_published"]
    assert body["failed"] == ["mission"]


def test_DC_1__log_that_ends_in_the_air__not_as_published(work, run, log):
    number = cleared(work)
    result = run("judge", log(number, lands=False), "--flight", number, "--declare-flown", "--as", "F1", "--json")
    body = json.loads(result.output)
    assert not body["as_published"]
    assert body["failed"] == ["to_the_ground"]


def test_flight_deviation__middle_third_80_m_off__states_excursion_and_place_are_told(work, run, log):
    number = cleared(work)
    result = run("judge", log(number, off_m=80.0), "--flight", number, "--declare-flown", "--as", "F1")
    assert result.exit_code == 0
    assert "nonconforming" in result.output
    assert "contingent" in result.output
    assert "NOT flown as published" in result.output
    assert "ASTM F3548-21" in result.output
    assert "excursion" in result.output


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_judge__same_flight_from_tlog_and_bin__same_verdict(work, run, log, session, lang):
    number = cleared(work)
    run("judge", log(number), "--flight", number, "--declare-flown", "--as", "F1")
    told = run("judge", log(number, "tlog"), "--flight", number, "--as", "F1", lang=lang)
    assert told.exit_code == 0, told.output
    rows = session.query(t.FlightVerdict).order_by(t.FlightVerdict.id).all()
    assert [row.source for row in rows] == ["bin", "tlog"]
    one, other = (row.report for row in rows)
    for name in ("as_published", "failed", "stayed_inside", "within", "excursions", "fixes"):
        assert one[name] == other[name]
    assert one["lateral_m"] == pytest.approx(other["lateral_m"], abs=0.05)
    assert one["share_flown"] == pytest.approx(other["share_flown"], abs=0.001)


def test_compare__clock_and_place_differ__listed(work, run, log):
    number = cleared(work)
    run("judge", log(number), "--flight", number, "--declare-flown", "--as", "F1")
    run("judge", log(number, "tlog", off_m=80.0, offset_s=3.25, hz=2.0), "--flight", number, "--as", "F1")
    told = run("compare", number, "--json")
    (found,) = json.loads(told.output)
    assert (found["first"], found["second"]) == ("tlog", "bin")
    assert found["clock_offset_s"] == pytest.approx(-3.25, abs=0.3)
    assert not found["agree"]
    assert found["lost"] > 500
    assert {one["kind"] for one in found["differences"]} >= {"glitch", "state"}
    assert found["verdicts"]["as_published"] == [False, True]
    for lang in ("en", "zh"):
        assert run("compare", number, lang=lang).exit_code == 0


def test_DC_1__not_declared__refused(work, run, log):
    number = cleared(work)
    assert run_refused(run, "judge", log(number), "--flight", number, "--as", "F1") == "verdict.not_declared"


def run_refused(run, *arguments):
    with pytest.raises(RuleViolation) as caught:
        run(*arguments)
    return caught.value.refusals[0].text


def test_DC_1__never_cleared__no_log_is_of_it(work, run, log):
    number = filed(work)
    assert run_refused(run, "judge", log(number), "--flight", number, "--as", "F1") == "verdict.never_flown"


def test_GD_16_1__somebody_elses_flight__not_declared(work, run, log, session):
    number = uploaded(work)
    assert run_refused(run, "judge", log(number), "--flight", number, "--declare-flown", "--as", "H1") == "machine.role"
    assert find(session, t.Flight, number).state == "uploaded"


def test_GD_20_2__verdict__is_never_changed(declared, services, past_the_judge):
    for statement in ("UPDATE core.flight_verdict SET as_published = false", "DELETE FROM core.flight_verdict"):
        with pytest.raises(DBAPIError, match="permission denied for table"), services.housekeeping() as session:
            session.execute(text(statement))


def test_ledger__judging__one_event_with_the_hash(declared, admin):
    _, body = declared
    rows = admin.execute("SELECT body FROM ledger.event WHERE action = 'flight.declare_flown'").fetchall()
    assert len(rows) == 1
    assert json.loads(rows[0][0])["log_sha256"] == body["log_sha256"]


def test_case__judges_by_the_filed_window(work, services, ground):
    number = cleared(work)
    with services.session() as session:
        flight = find(session, t.Flight, number)
        pack = services.rulebook.at_place(verdicts.place_of(flight), verdicts.flown_at(flight))
        case = verdicts.case_of(flight, pack)
    assert case.judge.timetable is not None
    assert case.judge.timetable.start_s == START.timestamp()


def test_track__stored_positions__as_arrays(work, services):
    number = cleared(work)
    with services.session() as session:
        flight = find(session, t.Flight, number)
        assert len(track_of(session, flight)) == 0
        flight_id = flight.id
    row = {
        "flight_id": flight_id, "received_at": START, "boot_ms": 1500, "geom": "SRID=4326;POINT(113.26 23.125)",
        "alt_rel_home_m": 100.0, "alt_amsl_m": 112.0, "heading_deg": 90.0, "ground_speed_m_s": 10.0,
        "battery_pct": 80, "alt_agl_m": 100.5, "along_m": 500.0, "cross_track_m": 1.5, "conformance": "nonconforming",
        "item": 5,
    }  # fmt: skip
    with services.housekeeping() as session:
        session.add(t.TelemetryPoint(**row))
        session.add(t.TelemetryPoint(**row | {"implausible": True}))
        session.add(t.TelemetryPoint(**row | {"conformance": None, "along_m": None, "item": None}))
    with services.session() as session:
        track = track_of(session, find(session, t.Flight, number))
    assert len(track) == 2
    assert [STATES[code] if code >= 0 else None for code in track.state] == ["nonconforming", None]
    assert (track.lon[0], track.along_m[0], track.t[0]) == (113.26, 500.0, START.timestamp())
    assert np.isnan(track.along_m[1])
