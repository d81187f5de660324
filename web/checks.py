"""Judging a plan against this installation: its database, its terrain, its rules. Shared by command and demo."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, tzinfo

from flights import queries
from flights.check.precheck import Verdict
from flights.check.situation import Options
from flights.check.surroundings import Asked
from flights.ground import open_ground
from flights.model import Plan
from flights.path.assumed import Assumed
from schemas.refusals import invalid
from web.wiring import Services

YEARS = range(1970, 3000)
"""When a take-off can be checked; nearer to the ends of the calendar, time zones and notice periods leave it."""


def judged(
    services: Services, drawn: Plan, at: datetime, options: Options, drone: str | None = None
) -> tuple[Verdict, tzinfo | None]:
    """The verdict on a plan for a take-off at `at`, and the time zone in which its times are told.

    Without `drone` the first aircraft in use is assumed, and the verdict says so.
    Raises RuleViolation 404 for an aircraft that nobody knows, 422 for a time that no calendar reaches.
    """
    if at.year not in YEARS:
        raise invalid("plan.time", measured=at.isoformat(), required=f"{YEARS[0]}-{YEARS[-1]}")
    with services.session() as session, open_ground(services.data_dir) as ground:
        aircraft = queries.drone_named(session, drone) if drone else queries.usual_drone(session)
        pack = queries.rules_for(services.rulebook, drawn, at)
        verdict = queries.judge(session, pack, ground, drawn, Asked(at, options, aircraft))
        if aircraft and not drone:
            usual = Assumed("drone", aircraft.device.public_id, "usual_aircraft")
            verdict = replace(verdict, assumed=(*verdict.assumed, usual))
        return verdict, pack.zone if pack else at.tzinfo
