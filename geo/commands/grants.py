"""Commands on devices that several authorities use: asked for, granted by the owner, used, revoked, over (GD-18.1)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, case, or_, select
from sqlalchemy.orm import Session

from geo.checks_grants import FIELDS
from geo.commands.common import local_today
from geo.commands.words import refuse_unknown
from schemas.actors import SYSTEM
from schemas.ids import new_id, public_id
from schemas.machine import label
from schemas.refusals import conflict, forbidden
from schemas.roles import Role
from schemas.store.work import Work, WorkFactory
from schemas.tables import Authority, Device, DeviceGrant, LegalBasis, SupervisionItem
from schemas.words import Coded

# Who looks at what a device records, in the authority that owns it.
_USERS = (Role.OFFICER, Role.COMMAND_CENTRE, Role.UNIT_HEAD)


@dataclass(frozen=True, kw_only=True)
class NewUse:
    """The use of a device that an authority asks another one for; local dates, the last one included.

    Without a `legal_basis` it is the article of the item.
    """

    authority: Authority
    item: SupervisionItem
    purpose_en: str
    purpose_zh: str
    valid_to: date
    valid_from: date | None = None
    fields: Sequence[str] = ("live",)
    legal_basis: LegalBasis | None = None


def ask_use(work: Work, device: Device, new: NewUse) -> DeviceGrant:
    """Asks the owner of a device for its use, for one item, one purpose and a period (GD-18.1)."""
    grant = DeviceGrant(
        id=new_id(),
        public_id=public_id("DG"),
        device=device,
        device_id=device.id,
        authority=new.authority,
        authority_id=new.authority.id,
        item_id=new.item.id,
        legal_basis_id=new.legal_basis.id if new.legal_basis else new.item.legal_basis_id,
        fields=list(new.fields),
        purpose_en=new.purpose_en,
        purpose_zh=new.purpose_zh,
        valid_from=new.valid_from or local_today(work, device),
        valid_to=new.valid_to,
        asked_by_id=work.actor.person_id,
        asked_at=work.now,
    )
    with work.session.no_autoflush:
        work.apply(grant, "ask", record=_facts(grant))
    return grant


def grant_use(work: Work, grant: DeviceGrant, *, reason: str, seen_version: int | None = None) -> None:
    """Lets another authority use a device, by the unit head of its owner, and says why."""
    _decide(work, grant, "grant", reason, seen_version)


def refuse_use(work: Work, grant: DeviceGrant, *, reason: str, seen_version: int | None = None) -> None:
    """Does not let another authority use a device, and says why."""
    _decide(work, grant, "refuse", reason, seen_version)


def revoke_use(work: Work, grant: DeviceGrant, *, reason: str, seen_version: int | None = None) -> None:
    """Ends the use of a device at once, and says why."""
    _decide(work, grant, "revoke", reason, seen_version)


def _decide(work: Work, grant: DeviceGrant, step: str, reason: str, seen_version: int | None) -> None:
    with work.session.no_autoflush:
        work.apply(grant, step, expected_version=seen_version, record=_facts(grant), reason=reason)
        grant.decided_by_id, grant.decided_at, grant.state_reason = work.actor.person_id, work.now, reason


def _facts(grant: DeviceGrant) -> dict[str, object]:
    period = {"from_day": grant.valid_from.isoformat(), "to_day": grant.valid_to.isoformat()}
    return {
        "device": str(grant.device_id),
        "authority": str(grant.authority_id),
        "fields": list(grant.fields),
        **period,
    }


def expire_where_due(works: WorkFactory) -> Iterator[str]:
    """Ends every grant whose last day is over, each in a work of its own; asked again and again. Yields their labels.

    Nobody waits for it: the use of a device is judged by the day.
    """
    with works(SYSTEM) as looking:
        # A day early anywhere on Earth; the guard knows the local date.
        query = select(DeviceGrant.public_id).where(
            DeviceGrant.state == "granted", DeviceGrant.valid_to <= looking.now.date()
        )
        names = looking.session.scalars(query.order_by(DeviceGrant.public_id)).all()
    for name in names:
        with works(SYSTEM) as work:
            grant = work.get(DeviceGrant, name)
            step = work.machine.tables[DeviceGrant.__machine__].find("expire", grant.state)
            if step is not None and not work.check(grant, step.guards):
                work.apply(grant, "expire", record=_facts(grant))
                work.commit()
                yield label(grant)


def use_device(work: Work, device: Device, item: SupervisionItem, field: str) -> DeviceGrant | None:
    """Lets the actor see one field of a device for one item, and writes that down; None for a device of their own.

    Raises RuleViolation 403 without a grant for that very item, field and day, and 409 where the device is not in use;
    its owner alone still reads what it once recorded. The refusal is written down too (S03).
    """
    refuse_unknown([("field", field, FIELDS)])
    work.attempts(device, "use")
    own = any(work.actor.has(role, device.authority_id) for role in _USERS)
    grant = None if own else _standing(work, device, item, field)
    if not own and grant is None:
        raise forbidden("GD-18.1", "share.no_grant", subject=label(device), measured=item.code, required=field)
    if device.state != "active" and not (own and field != "live"):
        raise conflict("GD-14.4", "share.not_in_use", subject=label(device), measured=Coded("state", [device.state]))
    body = {"device": device.public_id, "item": item.code, "field": field, "grant": grant.public_id if grant else None}
    work.record("device.use", "device", device.id, body)
    return grant


def _standing(work: Work, device: Device, item: SupervisionItem, field: str) -> DeviceGrant | None:
    """A grant by which the actor may see that now; a secret device has none."""
    today = local_today(work, device)
    mine = {grant.authority_id for grant in work.actor.grants if grant.role in _USERS}
    query = select(DeviceGrant).where(
        DeviceGrant.device_id == device.id,
        DeviceGrant.item_id == item.id,
        DeviceGrant.state == "granted",
        DeviceGrant.valid_from <= today,
        DeviceGrant.valid_to >= today,
        DeviceGrant.authority_id.in_(mine),
    )
    found = work.session.scalars(query.order_by(DeviceGrant.valid_to.desc())).all()
    return next((grant for grant in found if field in grant.fields and not device.secret), None)


def grants_of(session: Session, authority_id: uuid.UUID, *, limit: int = 200) -> list[DeviceGrant]:
    """What an authority asked of others, and what others asked of it, the latest first."""
    query = (
        select(DeviceGrant)
        .join(Device, Device.id == DeviceGrant.device_id)
        .where(or_(DeviceGrant.authority_id == authority_id, Device.authority_id == authority_id))
    )
    return list(session.scalars(query.order_by(DeviceGrant.asked_at.desc(), DeviceGrant.public_id).limit(limit)))


def grants_asked(session: Session, authority_ids: Collection[uuid.UUID], *, limit: int = 50) -> list[DeviceGrant]:
    """What some authorities asked of others, what waits for an answer first."""
    query = select(DeviceGrant).where(DeviceGrant.authority_id.in_(authority_ids))
    return list(session.scalars(_waiting_first(query).limit(limit)))


def grants_to_answer(session: Session, authority_ids: Collection[uuid.UUID], *, limit: int = 50) -> list[DeviceGrant]:
    """What others asked of some authorities, what waits for an answer first; of secret devices nothing (GD-14.6)."""
    query = select(DeviceGrant).join(Device, Device.id == DeviceGrant.device_id)
    query = query.where(Device.authority_id.in_(authority_ids), Device.secret.is_(False))
    return list(session.scalars(_waiting_first(query).limit(limit)))


def _waiting_first(query: Select[DeviceGrant]) -> Select[DeviceGrant]:
    """The oldest that waits stands first, and then the latest that were asked for."""
    waits = DeviceGrant.state == "requested"
    return query.order_by(
        waits.desc(), case((waits, DeviceGrant.asked_at)), DeviceGrant.asked_at.desc(), DeviceGrant.public_id
    )
