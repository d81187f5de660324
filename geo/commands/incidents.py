"""Commands on incidents of devices: reported by people or by the device itself, and answered (GD-20.1)."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

from shapely.geometry import Point
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from geo import shapes
from geo.commands.common import require
from geo.commands.papers import INSPECTORS
from geo.commands.words import refuse_unknown
from geo.measure import distance_m
from geo.types import LonLat
from schemas.ids import new_id, public_id
from schemas.refusals import conflict, invalid
from schemas.store.work import Work
from schemas.tables import Device, DeviceSite, Incident, IncidentAnswer

INCIDENTS = ("tamper", "moved", "damaged", "jammed", "offline")
# What a device that moved tells of itself: nobody saw it, so these words stand in place of a witness's.
OTHER_VIEW = "Its picture shows another view than before."
OTHER_PLACE = "It tells of another place than its own."


def report_incident(
    work: Work,
    device: Device,
    *,
    kind: str,
    text: str,
    observed_at: datetime | None = None,
    seen_at: Point | None = None,
) -> Incident:
    """Records an incident and how far the device was found from its place (`seen_at`, EPSG:4326).

    `geo.commands.due.block_where_due` stops what was tampered with or moved too far (GD-20.1).
    """
    refuse_unknown([("kind", kind, INCIDENTS)])
    if work.actor.person_id is not None:
        require(work, device, *INSPECTORS, action="report_incident")
    at = observed_at or work.now
    if at.tzinfo is None or at > work.now:
        raise invalid("GD-20.1", "device.incident_time", measured=at.isoformat())
    shift_m = None if seen_at is None else _shift_m(work, device, seen_at)
    row = Incident(
        id=new_id(),
        public_id=public_id("IN"),
        device_id=device.id,
        kind=kind,
        observed_at=at,
        shift_m=shift_m,
        text=text,
        reported_by=work.actor.person_id,
    )
    work.session.add(row)
    told = {"incident": row.public_id, "kind": kind, "shift_m": None if shift_m is None else round(shift_m, 1)}
    work.record("device.report_incident", "device", device.id, told, effective_at=at)
    return row


def report_moved(work: Work, device_id: uuid.UUID, seen_at: Point | None) -> Incident | None:
    """Records that a fixed device in use tells of itself that it moved, once until that is answered.

    Where it is too far from its place it is an incident that stops it, like one that a person reports. Where its
    picture alone shows another view, that is a machine's word: somebody looks at it first. None where it is known.
    """
    # Two signs of life at once make one incident.
    device = work.session.get_one(Device, device_id, with_for_update=True)
    if device.state != "active" or device.platform != "fixed":
        return None
    most_m = work.pack_for(device)["device.moved_tolerance_m"]
    too_far = seen_at is not None and _shift_m(work, device, seen_at) > most_m
    text = OTHER_PLACE if too_far else OTHER_VIEW
    known = _open().where(Device.id == device.id, Incident.kind == "moved", Incident.text == text)
    if work.session.scalars(known.limit(1)).first() is not None:
        return None
    return report_incident(work, device, kind="moved", text=text, seen_at=seen_at if too_far else None)


def answer_incident(work: Work, device: Device, incident_id: str, text: str) -> IncidentAnswer:
    """Records what somebody found who looked at an incident; it is then no longer open. Raises RuleViolation."""
    require(work, device, *INSPECTORS, action="answer_incident")
    if not text.strip():
        raise invalid("GD-20.1", "device.answer_blank")
    # Two answers at once: the second finds the first.
    wanted = select(Incident).where(Incident.device_id == device.id, Incident.public_id == incident_id)
    incident = work.session.scalars(wanted).one_or_none()
    if incident is None:
        raise invalid("GD-20.1", "device.answer_to_nothing", measured=incident_id[:40])
    work.session.get_one(Device, device.id, with_for_update=True)
    if work.session.scalars(select(IncidentAnswer).where(IncidentAnswer.incident_id == incident.id)).first():
        raise conflict("GD-20.1", "device.answered_already", measured=incident_id)
    row = IncidentAnswer(
        id=new_id(),
        public_id=public_id("IA"),
        incident_id=incident.id,
        answered_at=work.now,
        text=text.strip(),
        answered_by=work.actor.person_id,
    )
    work.session.add(row)
    told = {"incident": incident.public_id, "answer": row.public_id}
    work.record("device.answer_incident", "device", device.id, told)
    return row


def incidents_to_answer(
    session: Session, authority_ids: Collection[uuid.UUID], *, limit: int = 200
) -> list[tuple[Incident, Device]]:
    """Incidents of devices in use at which nobody has looked yet, the oldest first; of secret devices none here."""
    wanted = _of(authority_ids).with_only_columns(Incident, Device).order_by(Incident.observed_at, Incident.public_id)
    return [(incident, device) for incident, device in session.execute(wanted.limit(limit))]


def count_to_answer(session: Session, authority_ids: Collection[uuid.UUID]) -> int:
    """How many there are."""
    return session.scalar(_of(authority_ids).with_only_columns(func.count())) or 0


def open_incidents(session: Session, device: Device) -> list[Incident]:
    """The open incidents of one device, the oldest first."""
    wanted = _open().where(Device.id == device.id).order_by(Incident.observed_at, Incident.public_id)
    return list(session.scalars(wanted))


def _of(authority_ids: Collection[uuid.UUID]) -> Select[Incident]:
    return _open().where(Device.authority_id.in_(authority_ids), Device.secret.is_(False))


def _open() -> Select[Incident]:
    """Incidents of devices in use, since they are in use, that are not answered: what stopped one needs a repair."""
    answered = select(IncidentAnswer.id).where(IncidentAnswer.incident_id == Incident.id)
    since_use: ColumnElement[bool] = or_(Device.state_since.is_(None), Incident.observed_at >= Device.state_since)
    joined = select(Incident).join(Device, Device.id == Incident.device_id)
    return joined.where(Device.state == "active", since_use, ~answered.exists())


def _shift_m(work: Work, device: Device, seen_at: Point) -> float:
    site = work.session.get_one(DeviceSite, device.site_id)
    return distance_m(shapes.lon_lat(site.geom), LonLat(seen_at.x, seen_at.y))
