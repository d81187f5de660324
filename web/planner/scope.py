"""Whose plans, devices, areas and points somebody may open; those of others are not there (404)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.actors import Actor
from schemas.refusals import not_found
from schemas.roles import Role
from schemas.store.work import find
from schemas.tables import Authority, DeploymentPoint, Device, PatrolArea, SitingPlan, SupervisionItem
from schemas.words import Coded
from web.i18n import in_words
from web.permissions import ROLES, Permission

T = TypeVar("T", bound=SitingPlan | Device | PatrolArea | DeploymentPoint)
# Who looks at more than the things of the own authority: of all authorities in its field, or of all.
_OF_THE_FIELD, _OF_ALL = Role.PROVINCIAL_APPROVER, Role.SUPERVISOR


def authorities(db: Session, actor: Actor, permission: Permission) -> list[Authority]:
    """The authorities whose things the actor may open with a permission, by their codes."""
    grants = [grant for grant in actor.grants if grant.role in ROLES[permission]]
    own = {grant.authority_id for grant in grants}
    found = db.scalars(select(Authority).order_by(Authority.code)).all()
    if any(grant.role == _OF_ALL for grant in grants):
        return list(found)
    approving = {grant.authority_id for grant in grants if grant.role == _OF_THE_FIELD}
    fields = {one.field for one in found if one.id in approving}
    return [one for one in found if one.id in own or one.field in fields]


def opened(db: Session, actor: Actor, permission: Permission, kind: type[T], public_id: str) -> T:
    """The subject, where the actor may open it; raises RuleViolation 404 for any other."""
    found = find(db, kind, public_id)
    if found.authority_id not in {one.id for one in authorities(db, actor, permission)} or _secret(found, actor):
        raise not_found("store.unknown", "store.not_found", subject=_named(kind), measured=public_id[:40])
    return found


def _secret(found: SitingPlan | Device | PatrolArea | DeploymentPoint, actor: Actor) -> bool:
    """Whether it is a secret device, and the actor one who is told of none (GD-14.6)."""
    return isinstance(found, Device) and found.secret and not (actor.roles - {Role.PLANNER, Role.DATA_ADMIN})


def _named(kind: type[T]) -> Coded:
    return Coded("subject", [kind.__machine__])


def authority_of(found: Iterable[Authority], code: str) -> Authority | None:
    """The one of these authorities with that code; the first without a code."""
    return next((one for one in found if code in ("", one.code)), None)


def item_of(db: Session, code: str) -> SupervisionItem | None:
    """The supervision item with that code, or None."""
    return db.scalars(select(SupervisionItem).where(SupervisionItem.code == code)).first() if code else None


def items(db: Session) -> list[SupervisionItem]:
    """Every item of the catalogue."""
    return list(db.scalars(select(SupervisionItem).order_by(SupervisionItem.code)))


def item_names(db: Session) -> dict[str, str]:
    """What the items of the catalogue are called, with their codes, by code, in the reader's language."""
    return {one.code: f"{in_words({'en': one.name_en, 'zh': one.name_zh})} ({one.code})" for one in items(db)}


def approved_plans(db: Session, authority_ids: Iterable[uuid.UUID]) -> list[SitingPlan]:
    """The approved siting plans of some authorities, the latest first."""
    approved = select(SitingPlan).where(SitingPlan.state == "approved", SitingPlan.authority_id.in_(set(authority_ids)))
    return list(db.scalars(approved.order_by(SitingPlan.approved_on.desc())))
