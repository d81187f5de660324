"""Whose devices somebody reads: those of the own authorities, of those below them, and what others share (S01)."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from flask import request
from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from schemas.actors import Actor
from schemas.refusals import not_found
from schemas.tables import Authority, Device, DeviceShare
from web.permissions import ROLES, Permission


def own(actor: Actor, permission: Permission) -> set[uuid.UUID]:
    """The authorities in which the actor holds a role that carries a permission."""
    return {grant.authority_id for grant in actor.grants if grant.role in ROLES[permission]}


def below(db: Session, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """These authorities and all that are under them."""
    found = select(Authority.id).where(Authority.id.in_(ids)).cte(recursive=True)
    found = found.union(select(Authority.id).join(found, Authority.parent_id == found.c.id))
    return set(db.scalars(select(found.c.id)))


def visible(reach: Collection[uuid.UUID]) -> ColumnElement[bool]:
    """The devices that are read from there; secret ones are on no page (GD-14.6)."""
    shared: Select[uuid.UUID] = select(DeviceShare.device_id).where(DeviceShare.authority_id.in_(reach))
    return Device.secret.is_(False) & or_(Device.authority_id.in_(reach), Device.id.in_(shared))


def device_of(db: Session, actor: Actor, public_id: str) -> Device:
    """A device that the actor reads; raises RuleViolation 404 for every other."""
    reach = below(db, own(actor, Permission.READ_REGISTRY))
    found = db.scalars(select(Device).where(Device.public_id == public_id, visible(reach))).one_or_none()
    if found is None:
        raise not_found("record.unknown", "registry.unknown", measured=public_id[:40])
    return found


@dataclass(frozen=True)
class Office:
    """An authority as pages name it; `name` is `{"en", "zh"}`."""

    id: uuid.UUID
    code: str
    name: dict[str, str]


def offices(db: Session, ids: Collection[uuid.UUID]) -> list[Office]:
    """These authorities, by their codes."""
    rows = db.scalars(select(Authority).where(Authority.id.in_(ids)).order_by(Authority.code))
    return [Office(row.id, row.code, {"en": row.name_en, "zh": row.name_zh}) for row in rows]


def asked_office(within: Collection[Office], actor: Actor) -> Office:
    """The authority that the address names, else the first of the actor's own.

    Raises RuleViolation 404 for one that is not `within`.
    """
    code = request.args.get("authority", "")
    if code:
        found = next((one for one in within if one.code == code), None)
        if found is None:
            raise not_found("record.unknown", "registry.unknown", measured=code[:40])
        return found
    mine = own(actor, Permission.READ_REGISTRY)
    return next(one for one in within if one.id in mine)
