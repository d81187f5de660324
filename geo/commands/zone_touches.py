"""What a new zone does at once: it stops the devices that it reaches, and flags whatever else it touches (GD-15)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.orm import Session, joinedload

from geo import reach, shapes
from schemas.actors import SYSTEM
from schemas.kept import kept
from schemas.refusals import Kind, RuleViolation, refuse
from schemas.store.copying import among
from schemas.store.many import Many, packs_for
from schemas.store.work import Work
from schemas.tables import Device, PrivacyZone

BLOCKED, FLAGGED = "blocked", "flagged"

_WRITE = text("""
    INSERT INTO core.zone_touch (id, public_id, zone_id, subject_kind, subject_id, outcome, origin)
    SELECT t.id, 'ZT-' || upper(left(replace(t.id::text, '-', ''), 12)), :zone, t.kind, t.subject, t.outcome, 'live'
    FROM (SELECT gen_random_uuid() AS id, u.*
          FROM unnest(CAST(:kinds AS text[]), CAST(:subjects AS uuid[]), CAST(:outcomes AS text[]))
              AS u (kind, subject, outcome)) AS t
""")


@dataclass(frozen=True)
class Touched:
    """Something that a zone reached when it was added: stopped by it, or flagged; restricted."""

    subject_kind: str
    public_id: str
    outcome: str


def touch(work: Work, zone: PrivacyZone) -> None:
    """Stops the devices in use that a zone in force reaches, and flags all else, in the transaction of its command.

    Devices and what they look at are judged as the guard of GD-15 judges them; each that is stopped has its own event.
    A zone that holds only later flags what it will reach; the worker stops that on its day.
    """
    if zone.valid_to is not None and zone.valid_to <= work.now:
        return
    shape = shapes.polygon(zone.geom)
    widest_m = max((pack["privacy.buffer_m"] for pack in work.rulebook.packs), default=0.0)
    near = reach.devices_near(work.session, zone, shape, widest_m)
    found = _within(work, near, zone)
    stopped = [device for device in found if zone.valid_from <= work.now and device.state == "active"]
    if stopped:
        against = refuse("GD-15", "device.zone_added", zone=zone.public_id)
        reason = f"{against.rule}: {against.message()}"
        step = Many(
            transition="block",
            params={"reason": reason},
            values={"state_reason": reason, "state_since": work.now},
            record={"zone": zone.public_id, "reason": reason, "refusals": [kept(against)]},
            by=SYSTEM,
        )
        for outcome in work.apply_many(stopped, step):
            if outcome.refusals:
                raise RuleViolation(Kind.CONFLICT, outcome.refusals)
    outcomes = {device.id: BLOCKED for device in stopped}
    touched = [("device", device.id, outcomes.get(device.id, FLAGGED)) for device in found]
    touched += [(kind, subject, FLAGGED) for kind, subject in reach.drawn_near(work.session, zone, shape)]
    _write(work, zone, touched)


def _within(work: Work, near: reach.Near, zone: PrivacyZone) -> Sequence[Device]:
    """The devices that are within the zone's buffer and what the rules at their places add to it."""
    if not near.ids:
        return []
    wanted = select(Device).where(among(Device.id, near.ids)).options(joinedload(Device.site))
    rows = {row.id: row for row in work.session.scalars(wanted)}
    devices = [rows[device_id] for device_id in near.ids]
    found = []
    for device, pack, apart_m in zip(devices, packs_for(work, devices), near.distance_m, strict=True):
        extra_m = 0.0 if isinstance(pack, RuleViolation) else pack["privacy.buffer_m"]
        if apart_m <= zone.buffer_m + extra_m:
            found.append(device)
    return sorted(found, key=lambda device: device.public_id)


def _write(work: Work, zone: PrivacyZone, touched: Sequence[tuple[str, uuid.UUID, str]]) -> None:
    if touched:
        kinds, subjects, outcomes = (list(column) for column in zip(*touched, strict=True))
        values = {"zone": zone.id, "kinds": kinds, "subjects": subjects, "outcomes": outcomes}
        work.session.execute(_WRITE, values)


_TOUCHED = text("""
    SELECT t.subject_kind, coalesce(d.public_id, a.public_id, r.public_id, p.public_id, l.public_id), t.outcome
    FROM core.zone_touch t
    JOIN core.privacy_zone z ON z.id = t.zone_id
    LEFT JOIN core.device d ON t.subject_kind = 'device' AND d.id = t.subject_id
    LEFT JOIN core.patrol_area a ON t.subject_kind = 'patrol_area' AND a.id = t.subject_id
    LEFT JOIN core.patrol_route r ON t.subject_kind = 'patrol_route' AND r.id = t.subject_id
    LEFT JOIN core.deployment_point p ON t.subject_kind = 'deployment_point' AND p.id = t.subject_id
    LEFT JOIN core.planned_site l ON t.subject_kind = 'planned_site' AND l.id = t.subject_id
    WHERE z.public_id = :zone AND d.secret IS NOT TRUE
    ORDER BY t.outcome, t.subject_kind, 2
""")


def touched_by(session: Session, zone: str) -> tuple[Touched, ...]:
    """What the zone with that public id stopped and flagged when it was added; secret devices are left out."""
    return tuple(Touched(*row) for row in session.execute(_TOUCHED, {"zone": zone}))
