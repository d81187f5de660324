"""Commands on inspection plans and flights: drafted, approved, filed, checked, cleared, flown, closed.

Each makes one change and leaves the commit to its caller. Commands that judge a place take the ground.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy.dialects.postgresql import Range

from flights.air import held as air
from flights.check.precheck import plan_digest
from flights.formats import read_plan
from flights.ordering import order_flight as order_flight
from flights.papers import approval
from flights.path.track import Ground
from schemas.ids import public_id
from schemas.refusals import Refusal
from schemas.store.work import Work
from schemas.tables import (
    Authority,
    Drone,
    Flight,
    FlightFrame,
    InspectionPlan,
    PatrolArea,
    PatrolRoute,
    SupervisionItem,
)


@dataclass(frozen=True, kw_only=True)
class NewInspectionPlan:
    """An inspection plan as drafted; dates are local and inclusive."""

    number: str
    title_en: str
    title_zh: str
    authority: Authority
    item: SupervisionItem
    areas: Sequence[PatrolArea]
    valid_from: date
    valid_to: date


def draft_inspection_plan(work: Work, new: NewInspectionPlan) -> InspectionPlan:
    """Drafts a plan in the name of whoever acts (GD-16.1)."""
    plan = InspectionPlan(
        public_id=public_id("IP"),
        number=new.number,
        title_en=new.title_en,
        title_zh=new.title_zh,
        authority_id=new.authority.id,
        item_id=new.item.id,
        area_ids=[str(area.id) for area in new.areas],
        entity_ids=[],
        author_id=work.actor.person_id,
        valid_from=new.valid_from,
        valid_to=new.valid_to,
    )
    work.apply(plan, "draft")
    return plan


def check_inspection_plan(work: Work, plan: InspectionPlan) -> None:
    """Checks that the plan names its item, its object and a lawful period."""
    work.apply(plan, "check")


def submit_inspection_plan(work: Work, plan: InspectionPlan) -> None:
    """Lays a checked plan before the unit head."""
    work.apply(plan, "submit")


def approve_inspection_plan(work: Work, plan: InspectionPlan, *, seen_version: int | None = None) -> None:
    """The unit head approves a plan that somebody else drafted (GD-16.1)."""
    work.apply(plan, "approve", expected_version=seen_version)
    plan.approver_id, plan.approved_at = work.actor.person_id, work.now


def cancel_inspection_plan(work: Work, plan: InspectionPlan, reason: str) -> None:
    """Ends a plan before its time."""
    work.apply(plan, "cancel", reason=reason, record={"reason": reason})


@dataclass(frozen=True, kw_only=True)
class Filing:
    """A flight as a pilot files it: the file, the published route, the plan, the aircraft, the window."""

    data: bytes
    name: str
    route: PatrolRoute
    inspection: InspectionPlan
    drone: Drone
    start: datetime
    end: datetime
    options: dict[str, float] = field(default_factory=dict)


def file_flight(work: Work, filing: Filing) -> Flight:
    """Files a flight; raises RuleViolation for a file that cannot be read.

    The flight takes over the digest of the route's published mission, which is what will be flown; the file
    and its own digest stay on record. `options` are `alt_agl_m` and `hfov_deg`, where the file needs them.
    """
    plan = read_plan(filing.data, filing.name)
    flight = Flight(
        public_id=public_id("FL"),
        authority_id=filing.route.authority_id,
        inspection_plan_id=filing.inspection.id,
        plan=filing.inspection,
        route_id=filing.route.id,
        route=filing.route,
        route_version=filing.route.route_version,
        drone_id=filing.drone.device_id,
        drone=filing.drone,
        pilot_id=work.actor.person_id,
        during=Range(filing.start, filing.end),
        precheck={"options": filing.options},
        plan_name=filing.name[:200],
        plan_bytes=filing.data,
        plan_digest=plan_digest(plan, filing.options.get("alt_agl_m")),
        mission_digest=filing.route.mission_digest,
    )
    record = {
        "file_sha256": hashlib.sha256(filing.data).hexdigest(),
        "plan_digest": flight.plan_digest,
        "mission_digest": flight.mission_digest,
        "route": filing.route.public_id,
        "inspection_plan": filing.inspection.public_id,
    }
    work.apply(flight, "file", record=record)
    return flight


def refile_flight(work: Work, flight: Flight, data: bytes, name: str, options: dict[str, float]) -> None:
    """The pilot files an amended plan for a flight whose precheck failed; it is then judged again."""
    plan = read_plan(data, name)
    digest = plan_digest(plan, options.get("alt_agl_m"))
    record = {"file_sha256": hashlib.sha256(data).hexdigest(), "plan_digest": digest}
    work.apply(flight, "refile", record=record)
    flight.plan_bytes, flight.plan_name, flight.plan_digest = data, name[:200], digest
    flight.precheck = {"options": options}


def precheck(work: Work, flight: Flight, ground: Ground) -> Sequence[Refusal]:
    """The system judges a filed flight: passed, or failed with all rules; gives the refusals back."""
    transition = work.machine.tables["flight"].find("pass_precheck", flight.state)
    refusals: Sequence[Refusal] = ()
    if transition is not None:
        refusals = work.check(flight, transition.guards, ground=ground)
    if refusals:
        work.apply(flight, "fail_precheck", record={"rules": sorted({r.rule for r in refusals})})
    else:
        work.apply(flight, "pass_precheck", ground=ground)
    flight.precheck = {
        **flight.precheck,
        "at": work.now.isoformat(),
        "refusals": [refusal.render() for refusal in refusals],
        "refusals_zh": [refusal.render("zh") for refusal in refusals],
    }
    return refusals


def await_airspace(work: Work, flight: Flight) -> None:
    """The system notes that a flight waits for an airspace clearance (GD-16.2)."""
    work.apply(flight, "await_airspace")


def clear(work: Work, flight: Flight, ground: Ground, *, seen_version: int | None = None) -> None:
    """The unit head clears a flight: from now on it may be uploaded and flown in its window, and holds its air."""
    approved = approval.prepared(work, flight, ground)
    work.apply(flight, "clear", expected_version=seen_version, ground=ground, record=approved.record)
    flight.approval = approved.facts
    air.take(work.session, flight, approved.air)


def cancel(work: Work, flight: Flight, reason: str) -> None:
    """Calls a flight off before it is uploaded."""
    work.apply(flight, "cancel", reason=reason, record={"reason": reason})
    flight.state_reason = reason


@dataclass(frozen=True, kw_only=True)
class ReadBack:
    """What the vehicle answered when it was asked what it holds."""

    mission_digest: str
    fence_digest: str
    vehicle: dict[str, Any]


def mark_uploaded(work: Work, flight: Flight, ground: Ground, read_back: ReadBack) -> None:
    """The mission and the fence are on board, and read back as they were sent (DC-1)."""
    digests = {
        "vehicle_mission_digest": read_back.mission_digest,
        "vehicle_fence_digest": read_back.fence_digest,
    }
    params: dict[str, Any] = {"ground": ground, **digests}
    work.apply(flight, "upload", record=digests, **params)
    flight.vehicle_mission_digest = read_back.mission_digest
    flight.vehicle_fence_digest = read_back.fence_digest
    flight.vehicle = read_back.vehicle


def mark_airborne(work: Work, flight: Flight, ground: Ground) -> None:
    """The last look at all rules before the vehicle is armed; afterwards the flight counts as airborne.

    A flight that was set down to change its battery began when it first took off.
    """
    work.apply(flight, "take_off", ground=ground)
    flight.airborne_at = flight.airborne_at or work.now


def mark_set_down(work: Work, flight: Flight, reason: str) -> None:
    """The aircraft is down to change its battery and takes off again on the same mission."""
    work.apply(flight, "set_down", reason=reason, record={"reason": reason})


def mark_landed(work: Work, flight: Flight, *, tlog: Sequence[str] = ()) -> None:
    """The aircraft is down; the window ends with the landing. `tlog` holds the SHA-256 of every raw record."""
    work.apply(flight, "land", record={"tlog_sha256": list(tlog)})
    flight.landed_at, flight.tlog_sha256 = work.now, _last(tlog)
    start = flight.airborne_at or flight.during.lower
    if start is not None and start < work.now:
        flight.during = Range(start, work.now)


def mark_aborted(work: Work, flight: Flight, reason: str, *, tlog: Sequence[str] = ()) -> None:
    """The flight ends otherwise than planned. `tlog` holds the SHA-256 of every raw record."""
    work.apply(flight, "abort", reason=reason, record={"reason": reason, "tlog_sha256": list(tlog)})
    flight.state_reason = reason
    flight.tlog_sha256 = _last(tlog)


def _last(tlog: Sequence[str]) -> str | None:
    """The hash of the part of a raw record that holds its end; the hashes of all parts are in the ledger."""
    return tlog[-1] if tlog else None


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """How far a flight strayed from its route, in metres, and whether it stayed in its area."""

    lateral_m: float
    vertical_m: float
    stayed_inside: bool


def mark_ingested(work: Work, flight: Flight, deviation: Deviation, frames: Sequence[FlightFrame] = ()) -> None:
    """Track and imagery are in; the deviation report and the photos become part of the flight."""
    record = {
        "deviation_lateral_m": round(deviation.lateral_m, 1),
        "deviation_vertical_m": round(deviation.vertical_m, 1),
        "stayed_inside": deviation.stayed_inside,
        "frames": [frame.sha256 for frame in frames],
    }
    work.apply(flight, "ingest", record=record, deviation_lateral_m=deviation.lateral_m)
    flight.deviation_lateral_m, flight.deviation_vertical_m = deviation.lateral_m, deviation.vertical_m
    flight.stayed_inside = deviation.stayed_inside
    work.session.add_all(frames)


def close(work: Work, flight: Flight, *, note: str | None = None) -> None:
    """Closes a flight, with an explanation where it strayed (G-43); then it enters the public log."""
    work.apply(flight, "close", deviation_note=note, record={"explained": bool(note)})
    flight.deviation_note = note or flight.deviation_note
