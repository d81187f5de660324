"""What became of a flight, entered in the record once the aircraft is down: judged as a whole, over all its parts."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError

from flights import commands
from flights.conformance import Report
from flights.gateway.brief import RESUME
from flights.gateway.identity import identity_notes
from flights.gateway.sortie import Sortie
from flights.gateway.told import Ending, EventKind, Flown, Outcome, Step, plain
from flights.record import parts_of
from flights.verdicts import live_verdict
from schemas.actors import SYSTEM
from schemas.store.work import Work
from schemas.tables import Flight, FlightEvent

AWAY_S = 0.5
log = logging.getLogger(__name__)


def settle(sortie: Sortie, ending: Ending) -> Flown:
    """Stores the rest of the track and what became of the flight; waits for a database that is away.

    Raises Superseded or LetGo where that takes longer than this gateway may lead the flight: the next one does it.
    """
    report = sortie.brief.judge.judge(sortie.track.fixes)
    digest = sortie.recorder.close()
    while not sortie.store.flush():
        sortie.require_ours()
        time.sleep(AWAY_S)
    while True:
        try:
            with sortie.house.work(SYSTEM) as work:
                _enter(sortie, work, ending, report)
            break
        except (OperationalError, InterfaceError) as error:
            log.warning("the end of %s waits for the database: %s", sortie.brief.public_id, type(error).__name__)
            sortie.require_ours()
            time.sleep(AWAY_S)
    sortie.say(Step.ENDED, {"outcome": str(ending.outcome), "reason": ending.reason, **_brief_of(report)})
    return Flown(
        flight=sortie.brief.public_id,
        outcome=ending.outcome,
        reason=ending.reason,
        report=report,
        pictures=ending.pictures,
        mission_digest=sortie.brief.mission_digest,
        fence_digest=sortie.brief.fence_digest,
        tlog=sortie.recorder.path,
        tlog_sha256=digest,
    )


def _enter(sortie: Sortie, work: Work, ending: Ending, report: Report) -> None:
    """The end of the flight as one command; an earlier try whose answer was lost may have done it already."""
    flight = work.get(Flight, sortie.brief.public_id)
    if flight.state != "airborne":
        return
    parts = parts_of(sortie.house, sortie.brief.public_id)
    hashes = [part["sha256"] for part in parts]
    before = dict(flight.vehicle)
    if ending.outcome is Outcome.SET_DOWN:
        commands.mark_set_down(work, flight, ending.reason or "unknown")
        before[RESUME] = {"item": ending.item, "reason": ending.reason}
    else:
        _end(sortie, work, flight, ending, hashes)
        flight.flown_track = sortie.track.line()
        before["report"] = report.render() | {"remote_id": identity_notes(work.session, flight.id)}
        work.session.add(live_verdict(flight, before["report"]))
    flight.vehicle = before | {
        "pictures": ending.pictures + int(before.get("pictures") or 0),
        "link": plain(dict(sortie.link.connection.counts)),
        "tlog": parts,
        "gaps": _gaps(work, flight),
    }
    work.commit()


def _gaps(work: Work, flight: Flight) -> list[dict[str, Any]]:
    """What is not in the record, of all parts: of the line, the gateway, the database and the disk."""
    rows = select(FlightEvent.body).where(FlightEvent.flight_id == flight.id, FlightEvent.kind == EventKind.GAP)
    return list(work.session.scalars(rows.order_by(FlightEvent.id)))


def _end(sortie: Sortie, work: Work, flight: Flight, ending: Ending, hashes: list[str]) -> None:
    landed_at = sortie.time_of_last()
    if ending.outcome is Outcome.ABORTED:
        commands.mark_aborted(work, flight, ending.reason or "unknown", tlog=hashes)
    elif sortie.track.last is None:
        commands.mark_aborted(work, flight, "no_track", tlog=hashes)
    else:
        commands.mark_landed(work, flight, tlog=hashes)
    flight.landed_at = landed_at


def _brief_of(report: Report) -> dict[str, Any]:
    """The report without its lists, which are in the record of the flight."""
    return {name: value for name, value in report.render().items() if not isinstance(value, list)}
