"""Commands on verdicts: a flight judged from its live track or a log, stored, compared. Touches the disk for logs."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from flights import queries
from flights.conformance import ENGINE, Fixes, Judge, Judged, Report, RouteShape, Thread
from flights.conformance.report import report_on
from flights.logs.compare import Comparison, TrackLine, all_pairs
from flights.logs.open import read_log
from flights.logs.record import Bools, Ints, Logged, Source
from flights.logs.remote import notes_in
from flights.mission import Mission
from flights.path.track import Ground
from flights.remote_id.register import Registered
from flights.tracks import StoredTrack, line_of, track_of
from flights.vehicle_orders import RouteSpan
from geo import shapes
from schemas.machine import label
from schemas.refusals import conflict, invalid
from schemas.rules import RulePack
from schemas.store.work import Work
from schemas.tables import Flight
from schemas.tables.verdicts import FlightVerdict

BEFORE_LANDING = ("cleared", "uploaded", "airborne")
# A record whose last position is higher was cut off in the air; terrain and barometer differ by less (our choice).
LANDED_BELOW_M = 15.0
NEVER_FLOWN = ("filed", "precheck_failed", "precheck_passed", "airspace_pending", "cancelled")


@dataclass(frozen=True)
class Case:
    """What a flight is judged by: the published route, its judge, and which items of the mission belong to it."""

    judge: Judge
    span: RouteSpan
    mission: Mission

    def covers(self, seq: Ints) -> Bools:
        """Which items of the mission belong to the route."""
        return (seq > self.span.after) & (seq <= self.span.last)


def case_of(flight: Flight, pack: RulePack) -> Case:
    """The case of a flight; times are judged by the window for which it was filed."""
    mission = queries.mission_of(flight.route)
    start, end = queries.window(flight)
    shape = RouteShape(
        line=shapes.line(flight.route.geom),
        area=shapes.polygon(flight.route.area.geom),
        alt_agl_m=flight.route.alt_agl_m,
        home=mission.home.at,
        window_s=(start.timestamp(), end.timestamp()),
        speed_m_s=mission.speed_mps,
    )
    return Case(Judge(shape, pack["flight.deviation_tolerance_m"]), RouteSpan.of(mission.items), mission)


@dataclass(frozen=True)
class LogJudged:
    """One log, judged: what it says, what was found of every position, and the report as it is stored."""

    logged: Logged
    judged: Judged
    report: Report
    body: dict[str, Any]
    sha256: str
    name: str

    @property
    def as_published(self) -> bool:
        """The verdict; a flight on another mission is not one as published, however near it came."""
        return bool(self.body["as_published"])


def judge_log(flight: Flight, pack: RulePack, path: Path, ground: Ground) -> LogJudged:
    """Judges the log of a flight; raises RuleViolation 422 where the log cannot be read or is not of its aircraft."""
    logged = read_log(path, flight.drone.mavlink_system_id)
    case = case_of(flight, pack)
    fixes = logged.fixes(case.covers, case.mission.home.at, ground)
    judged = case.judge.columns(fixes, Thread())
    report = report_on(case.judge, len(fixes), judged)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    about = _about(logged, flight.mission_digest)
    failed = [*report.failed, *_failed(judged, about)]
    body = report.render() | about | {"as_published": not failed, "failed": failed}
    if logged.source is Source.TLOG:
        registered = Registered(flight.drone.registration_no, flight.drone.device.serial_no)
        body |= {"remote_id": notes_in(path, flight.drone.mavlink_system_id, registered)}
    return LogJudged(logged, judged, report, body, digest, path.name)


def _failed(judged: Judged, about: Mapping[str, Any]) -> Iterator[str]:
    """What speaks against a log beyond the positions in it: it ends in the air, or its mission is another one."""
    heights_m = judged.fixes.alt_agl_m
    if len(heights_m) and heights_m[-1] > LANDED_BELOW_M:
        yield "to_the_ground"
    if about["mission"]["is_published"] is False:
        yield "mission"


def _about(logged: Logged, published: str) -> dict[str, Any]:
    """What a log is worth: its clock, what was damaged, whose mission it shows."""
    digest, clock = logged.mission_digest, logged.clock
    return {
        "log": vars(logged.found),
        "clock": {
            "source": clock.source,
            "utc_at_boot_s": round(clock.utc_at_boot_s, 3),
            "spread_s": round(clock.spread_s, 3),
            "leap_s": clock.leap_s,
        },
        "mission": {"digest": digest, "is_published": None if digest is None else digest == published},
    }


def live_verdict(flight: Flight, report: Mapping[str, Any], judged_by: Any = None) -> FlightVerdict:  # noqa: ANN401
    """The verdict on the live track, as a row for whoever ends the flight; `report` as rendered."""
    return _row(flight, Source.LIVE, report, judged_by)


def store(work: Work, flight: Flight, found: LogJudged) -> FlightVerdict:
    """Keeps the verdict on a log of a flight that has been flown.

    Raises RuleViolation 409 for a flight that has not: its pilot declares it flown first.
    """
    if flight.state in NEVER_FLOWN:
        raise conflict("DC-1", "verdict.never_flown", subject=label(flight))
    if flight.state in BEFORE_LANDING:
        raise conflict("DC-1", "verdict.not_declared", subject=label(flight))
    row = _row(flight, found.logged.source, found.body, work.actor.person_id, found)
    work.session.add(row)
    work.record("flight.judge", "flight", flight.id, _record(found))
    return row


def declare_flown(work: Work, flight: Flight, found: LogJudged) -> FlightVerdict:
    """The pilot declares a flight flown that had no link to the platform; its log is its record.

    Raises RuleViolation 422 for a log that knows no UTC, because a flight has a time; with the rules of the machine.
    """
    fixes = found.judged.fixes
    if found.logged.clock.source is None or not len(fixes):
        raise invalid("log.unreadable", name=found.name, measured="no time of day, or no position that can be")
    work.apply(flight, "declare_flown", record=_record(found), log_fixes=len(fixes))
    flight.airborne_at = flight.airborne_at or _instant(fixes.utc_s[0])
    flight.landed_at = _instant(fixes.utc_s[-1])
    flight.flown_track = line_of(fixes.lon, fixes.lat)
    if found.logged.source is Source.TLOG:
        flight.tlog_sha256 = found.sha256
    flight.vehicle = {**flight.vehicle, "report": found.body, "declared_from": str(found.logged.source)}
    row = _row(flight, found.logged.source, found.body, work.actor.person_id, found)
    work.session.add(row)
    return row


def _row(
    flight: Flight,
    source: Source,
    body: Mapping[str, Any],
    judged_by: Any,  # noqa: ANN401
    found: LogJudged | None = None,
) -> FlightVerdict:
    return FlightVerdict(
        flight_id=flight.id,
        source=str(source),
        log_sha256=found.sha256 if found else None,
        log_name=found.name[:200] if found else None,
        engine=ENGINE,
        as_published=bool(body["as_published"]),
        thresholds=body["thresholds"],
        report={name: value for name, value in body.items() if name != "thresholds"},
        judged_by=judged_by,
    )


def _record(found: LogJudged) -> dict[str, Any]:
    return {
        "source": str(found.logged.source),
        "log_sha256": found.sha256,
        "engine": ENGINE,
        "as_published": found.as_published,
        "failed": list(found.body["failed"]),
    }


def keep(path: Path, sha256: str, source: Source, folder: Path) -> Path:
    """Keeps a log with the flight, under its hash, so that it can be compared and judged again."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{sha256}.{source}"
    if not kept.exists():
        part = kept.with_suffix(".part")
        shutil.copyfile(path, part)
        part.replace(kept)
    return kept


# -- where the records of a flight disagree -----------------------------------------------------------


def newest(session: Session, flight: Flight) -> dict[str, FlightVerdict]:
    """The newest verdict from every source; the final verdict is theirs together."""
    rows = session.scalars(select(FlightVerdict).where(FlightVerdict.flight_id == flight.id).order_by(FlightVerdict.id))
    return {row.source: row for row in rows}


def disagreements(session: Session, flight: Flight, pack: RulePack, ground: Ground, logs: Path) -> Sequence[Comparison]:
    """The records of a flight against each other: the live track, the link's log, the aircraft's own.

    `logs` is the folder in which `keep` put them. A log that is gone is left out; its verdict stays.
    """
    verdicts = newest(session, flight)
    case = case_of(flight, pack)
    tracks: list[TrackLine] = []
    live = live_fixes(track_of(session, flight), case)
    reports: dict[str, Mapping[str, Any]] = {name: row.report for name, row in verdicts.items()}
    if len(live):
        judged = case.judge.columns(live, Thread())
        reports["live"] = report_on(case.judge, len(live), judged).render()
        tracks.append(_line_of("live", judged))
    for source in (Source.TLOG, Source.BIN):
        row = verdicts.get(source)
        path = logs / f"{row.log_sha256}.{source}" if row else None
        if path is not None and path.is_file():
            tracks.append(_line_of(source, judge_log(flight, pack, path, ground).judged))
    return all_pairs(tracks, reports)


def live_fixes(track: StoredTrack, case: Case) -> Fixes:
    """The stored positions as fixes; those of a time in which nobody wrote the item down are all on the route."""
    return Fixes(
        at_s=track.boot_s,
        lon=track.lon,
        lat=track.lat,
        alt_agl_m=track.alt_agl_m,
        speed_m_s=np.nan_to_num(track.speed_m_s),
        on_route=case.covers(track.item.astype(np.int64)) if (track.item >= 0).any() else np.ones(len(track), bool),
        utc_s=track.t,
    )


def _line_of(name: str, judged: Judged) -> TrackLine:
    fixes = judged.fixes
    return TrackLine(name, fixes.utc_s, fixes.lon, fixes.lat, fixes.alt_agl_m, judged.state)


def _instant(unix_s: float) -> datetime:
    return datetime.fromtimestamp(float(unix_s), UTC)


def place_of(flight: Flight) -> Any:  # noqa: ANN401
    """The shape by whose place the rules of a flight are found."""
    return shapes.line(flight.route.geom)


def flown_at(flight: Flight) -> datetime:
    """The time by whose day the rules of a flight are found."""
    return flight.airborne_at or queries.window(flight)[0]
