"""From a pilot's file to a flight that was judged: the steps of filing, one command and one event each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from flights import commands, queries
from flights.profile import Ground
from schemas.actors import SYSTEM, Actor
from schemas.refusals import Refusal
from schemas.store.work import WorkFactory
from schemas.tables import Flight, InspectionPlan, PatrolRoute

_AIRSPACE_GUARD = ("GD-16.2:airspace_cleared",)


@dataclass(frozen=True, kw_only=True)
class FilingRequest:
    """What a pilot asks for, by the public ids or codes that people know; times are aware."""

    data: bytes
    name: str
    route: str
    inspection: str
    drone: str
    start: datetime
    end: datetime
    options: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Filed:
    """A filed flight after the system has judged it, with every rule that stands against it."""

    flight: str
    state: str
    plan_digest: str
    mission_digest: str
    refusals: tuple[Refusal, ...]


def file_and_judge(works: WorkFactory, actor: Actor, request: FilingRequest, ground: Ground) -> Filed:
    """Files a flight for `actor` and lets the system judge it.

    Raises RuleViolation where nothing can be filed: an unreadable file, unknown names, no pilot, a window in
    the past. A filed flight that fails its check is kept, with the reasons, so that it can be amended.
    """
    with works(actor) as work:
        filing = commands.Filing(
            data=request.data,
            name=request.name,
            route=work.get(PatrolRoute, request.route),
            inspection=work.get(InspectionPlan, request.inspection),
            drone=queries.drone_named(work.session, request.drone),
            start=request.start,
            end=request.end,
            options=request.options,
        )
        number = commands.file_flight(work, filing).public_id
        work.commit()
    return judge_filed(works, number, ground)


def judge_filed(works: WorkFactory, number: str, ground: Ground) -> Filed:
    """Lets the system judge a filed flight, and note when it must wait for the airspace (GD-16.2)."""
    with works(SYSTEM) as work:
        flight = work.get(Flight, number)
        refusals = tuple(commands.precheck(work, flight, ground))
        filed = _filed(flight, refusals)
        work.commit()
    if refusals:
        return filed
    with works(SYSTEM) as work:
        flight = work.get(Flight, number)
        if work.check(flight, _AIRSPACE_GUARD, ground=ground):
            commands.await_airspace(work, flight)
            filed = _filed(flight, ())
            work.commit()
    return filed


def _filed(flight: Flight, refusals: tuple[Refusal, ...]) -> Filed:
    return Filed(flight.public_id, flight.state, flight.plan_digest, flight.mission_digest, refusals)
