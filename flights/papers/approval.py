"""The approval file of a flight: what the unit head approved, on which grounds, proved by a hash in the ledger.

The facts are put together at the moment of clearing and stored with the flight; the ledger event of the clearing
holds their SHA-256 (RFC 8785). Whoever has the file and an export of the ledger can check one against the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785
import shapely
from shapely.geometry import mapping
from sqlalchemy import text
from sqlalchemy.orm import Session

from flights import queries
from flights.air import traffic
from flights.air.volumes import Held, Spacing
from flights.canonical import fence_digest
from flights.check.situation import Volume
from flights.papers import queries as papers
from flights.path.assumed import Assumed
from flights.path.track import Ground
from geo.zones import distance_m
from schemas.actors import Actor
from schemas.refusals import LANGUAGES, RuleViolation, conflict
from schemas.rules import RulePack
from schemas.rules.registry import registry
from schemas.store.work import Work
from schemas.tables import Flight, PatrolRoute, Person

FORMAT = "skywarden-flight-approval-1"

THRESHOLDS = (
    "airspace.application_cutoff",
    "flight.deviation_tolerance_m",
    "flight.separation",
    "inspection_plan.max_months",
    "privacy.buffer_m",
    "uav.camera",
    "uav.controlled_above_agl_m",
    "uav.endurance",
    "uav.filing.decided_by",
    "uav.filing.late",
    "uav.filing.readiness_min",
    "uav.marking_valid_months",
    "uav.quiet_hours",
    "uav.residential_min_agl_m",
    "uav.terrain_clearance_m",
)
"""The values of the pack by which a flight is judged."""

_EVENTS = text(
    "SELECT e.id, e.action, e.actor, e.recorded_at, encode(e.leaf, 'hex') AS leaf FROM ledger.event e"
    " WHERE e.subject_kind = 'flight' AND e.subject_id = :id AND e.action <> 'refused' ORDER BY e.id"
)


@dataclass(frozen=True)
class Prepared:
    """What is about to be approved: the facts, their hash for the ledger, and the air that the flight takes."""

    facts: dict[str, Any] | None
    air: Sequence[Held]

    @property
    def record(self) -> Mapping[str, Any]:
        """What the ledger event of the clearing says of it."""
        return {} if self.facts is None else {"approval_sha256": sha256_of(self.facts)}


def prepared(work: Work, flight: Flight, ground: Ground) -> Prepared:
    """The facts of an approval by whoever acts, now; empty where a rule stands against it, which the guards tell."""
    pack = work.pack_for(flight)
    try:
        air = traffic.air_of(flight, pack, ground)
        return Prepared(_facts(work, pack, flight, ground, air), air)
    except RuleViolation:
        return Prepared(None, ())


def sha256_of(value: Mapping[str, Any]) -> str:
    """The SHA-256 (hex) of a JSON object in canonical form (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps(dict(value))).hexdigest()


def document(session: Session, flight: Flight, *, sample: bool) -> dict[str, Any]:
    """The approval file of a flight; raises RuleViolation 409 for one that was not cleared here.

    `sample` says that everything in it is fictional. The hash at its end covers all that stands above it.
    """
    if flight.approval is None:
        raise conflict("GD-16.1", "flight.not_approved", measured=flight.public_id)
    events = [_event(dict(row)) for row in session.execute(_EVENTS, {"id": str(flight.id)}).mappings()]
    body: dict[str, Any] = {
        "format": FORMAT,
        "sample": sample,
        "approved": flight.approval,
        "approved_sha256": sha256_of(flight.approval),
        "ledger": next(event for event in events if event["action"] == "flight.clear"),
        "events": events,
        "state": flight.state,
        "vehicle": {
            "mission_digest": flight.vehicle_mission_digest,
            "fence_digest": flight.vehicle_fence_digest,
        },
    }
    return body | {"document_sha256": sha256_of(body)}


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("action", "actor", "leaf")
    return {"id": str(row["id"]), "recorded_at": _instant(row["recorded_at"])} | {name: row[name] for name in names}


# -- the facts ---------------------------------------------------------------------------------------------


def _facts(work: Work, pack: RulePack, flight: Flight, ground: Ground, air: Sequence[Held]) -> dict[str, Any]:
    session, (start, end) = work.session, queries.window(flight)
    verdict = queries.judge_flight(session, pack, ground, flight)
    guards = _guards(work)
    facts: dict[str, Any] = {
        "flight": flight.public_id,
        "window": {"from": _instant(start), "until": _instant(end)},
        "route": _route(flight),
        "digests": {"published_mission": flight.mission_digest, "filed_plan": flight.plan_digest},
        "inspection_plan": flight.plan.number,
        "aircraft": {"id": flight.drone.device.public_id, "registration": flight.drone.registration_no},
        "pilot": _person(flight.pilot),
        "approver": _approver(session, work.actor),
        "approved_at": _instant(work.now),
        "rules": {"pack": pack.reference, "sha256": pack.sha256},
        "checks": [_check(name) for name in guards],
        "plan": {
            "items": verdict.items,
            "length_m": round(verdict.length_m, 1),
            "flown_m": round(verdict.flown_m, 1),
            "assumed": [_assumed(assumed) for assumed in verdict.assumed],
        },
        "thresholds": _thresholds(pack),
        "clearances": [clearance.render() for clearance in verdict.clearances],
        "fence": _fence(session, pack, flight),
        "air": _air(pack, air),
        "conflicts": _looked_at(air, traffic.others(session, flight, air)),
        "airspace": papers.sheet_of(session, pack, ground, flight, work.now).render(),
    }
    return facts


def _assumed(assumed: Assumed) -> dict[str, Any]:
    """What was taken for granted, in both languages: whoever approves must see it in his own."""
    about = {
        name: {lang: tell(lang) for lang in LANGUAGES}
        for name, tell in (("title", assumed.title), ("shown", assumed.shown), ("source", assumed.source))
    }
    return {"name": assumed.name, "value": assumed.value} | about


def _guards(work: Work) -> Sequence[str]:
    """The guards of clearing; the facts are kept only where every one of them passed."""
    transition = next(t for t in work.machine.tables["flight"].transitions if t.name == "clear")
    return transition.guards


def _check(guard: str) -> dict[str, Any]:
    rule = guard.partition(":")[0]
    return {"check": guard, "rule": rule, "title": dict(registry()[rule].title), "result": "passed"}


def _route(flight: Flight) -> dict[str, Any]:
    route: PatrolRoute = flight.route
    names = {"en": route.name_en, "zh": route.name_zh}
    about = {"id": route.public_id, "code": route.code, "version": route.route_version, "name": names}
    return about | {"alt_agl_m": route.alt_agl_m, "area": route.area.public_id}


def _person(person: Person) -> dict[str, Any]:
    return {"id": person.public_id, "code": person.code, "name": {"en": person.name_en, "zh": person.name_zh}}


def _approver(session: Session, actor: Actor) -> dict[str, Any] | None:
    person = session.get(Person, actor.person_id) if actor.person_id else None
    return _person(person) if person else None


def _thresholds(pack: RulePack) -> list[dict[str, Any]]:
    values = pack.document()["values"]
    return [{"key": key, "value": values[key], "source": pack.source(key)} for key in THRESHOLDS]


def _fence(session: Session, pack: RulePack, flight: Flight) -> dict[str, Any]:
    start, end = queries.window(flight)
    built = queries.built_fence(session, flight.route, start, end, pack.zone)
    return {"digest": fence_digest(built.fence.items), "corners": len(built.fence.items), "proof": built.proof}


def _air(pack: RulePack, air: Sequence[Held]) -> dict[str, Any]:
    spacing = Spacing.of(pack)
    return {
        "lateral_m": spacing.lateral_m,
        "vertical_m": spacing.vertical_m,
        "volumes": [
            {
                "part": volume.part,
                "alt_agl_min_m": round(volume.alt_agl_min_m, 1),
                "alt_agl_max_m": round(volume.alt_agl_max_m, 1),
                "from": _instant(volume.start),
                "until": _instant(volume.end),
                "geom": _geojson(volume),
            }
            for volume in air
        ],
    }


def _geojson(volume: Volume) -> dict[str, Any]:
    shape: dict[str, Any] = mapping(shapely.set_precision(volume.geom, 1e-7))
    return {"type": shape["type"], "coordinates": [[list(xy) for xy in ring] for ring in shape["coordinates"]]}


def _looked_at(air: Sequence[Held], others: Sequence[Volume]) -> list[dict[str, Any]]:
    """Every other flight around, and what keeps the two apart: place (then by how many metres), height or time."""
    found = []
    for number in sorted({volume.flight for volume in others}):
        pairs = [(mine, other) for other in others if other.flight == number for mine in air]
        at_once = [(a, b) for a, b in pairs if a.start < b.end and b.start < a.end]
        level = [(a, b) for a, b in at_once if a.alt_agl_min_m < b.alt_agl_max_m and b.alt_agl_min_m < a.alt_agl_max_m]
        by = "place" if level else "height" if at_once else "time"
        apart_m = round(min(distance_m(a.geom, b.geom) for a, b in level), 1) if level else None
        found.append({"flight": number, "apart_by": by, "apart_m": apart_m})
    return found


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
