"""What the command centre records of devices beyond their papers: how they are reached, and which views they give."""

from __future__ import annotations

import re

from sqlalchemy import select

from geo.commands.common import require
from schemas.ids import new_id, public_id
from schemas.refusals import conflict, forbidden, invalid, not_found
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Authority, Device, DeviceReference, GivenView, RequiredView, SupervisedEntity

# As the database has them.
REFERENCES = {
    "gbt28181": re.compile(r"[0-9]{20}", re.ASCII),
    "onvif": re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII),
    "rtsp": re.compile(r"rtsps?://[^@?#&=\s]{1,490}"),
}
_CENTRE = (Role.COMMAND_CENTRE, Role.PLANNER)


def record_reference(work: Work, device: Device, kind: str, reference: str) -> DeviceReference:
    """How a device is reached; never with a password in it, and never in the ledger or an answer."""
    require(work, device, *_CENTRE, action="record_reference")
    if kind not in REFERENCES or not REFERENCES[kind].fullmatch(reference):
        # What was typed may hold a password, so it is not repeated.
        raise invalid("reference.form", name=kind)
    known = select(DeviceReference.id).where(DeviceReference.device_id == device.id, DeviceReference.kind == kind)
    if work.session.scalar(known) is not None:
        raise conflict("reference.known", measured=device.public_id, name=kind)
    row = DeviceReference(id=new_id(), device_id=device.id, kind=kind, reference=reference)
    work.session.add(row)
    work.record("device.record_reference", "device", device.id, {"kind": kind})
    return row


def require_view(work: Work, authority: Authority, registration_code: str, position: str, count: int) -> RequiredView:
    """A view that an entity has to give, as often as said (LX-12)."""
    if not any(work.actor.has(role, authority.id) for role in (Role.COMMAND_CENTRE, Role.OFFICER)):
        raise forbidden("view.role", required=authority.code)
    wanted = select(SupervisedEntity).where(SupervisedEntity.registration_code == registration_code)
    entity = work.session.scalars(wanted).one_or_none()
    if entity is None:
        raise not_found("view.entity", measured=registration_code[:40])
    if not position.strip() or not 1 <= count <= 1000:
        raise invalid("view.count", measured=count, required="1–1000")
    row = RequiredView(
        id=new_id(),
        public_id=public_id("VW"),
        authority_id=authority.id,
        entity_id=entity.id,
        position=position.strip(),
        count=count,
    )
    work.session.add(row)
    work.record("view.require", "required_view", row.id, {"view": row.public_id, "count": count})
    return row


def give_view(work: Work, device: Device, view_id: str) -> GivenView:
    """Names a device that gives a view."""
    require(work, device, *_CENTRE, action="give_view")
    view = work.session.scalars(select(RequiredView).where(RequiredView.public_id == view_id)).one_or_none()
    if view is None or view.authority_id != device.authority_id:
        raise not_found("view.unknown", measured=view_id[:40])
    row = GivenView(view_id=view.id, device_id=device.id)
    work.session.add(row)
    work.record("view.give", "device", device.id, {"view": view.public_id})
    return row
