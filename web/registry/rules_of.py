"""The rules in force where an authority acts, with the overlays that it has switched on (G-42)."""

from __future__ import annotations

from datetime import datetime

from geoalchemy2.shape import to_shape
from sqlalchemy.orm import Session

from schemas.rules import Rulebook, RulePack
from schemas.store.overlays import switched_on
from schemas.store.work import Work
from schemas.tables import Authority


def base_of(work: Work, authority: Authority) -> RulePack:
    """The law of the place alone; raises RuleViolation GD-02.1 where no pack holds."""
    return work.rulebook.at_place(to_shape(authority.jurisdiction), work.now)


def rules_of(work: Work, authority: Authority) -> RulePack:
    """The law of the place and the overlays over it."""
    return rules_at(work.session, work.rulebook, authority, work.now)


def rules_at(db: Session, rulebook: Rulebook, authority: Authority, now: datetime) -> RulePack:
    """The same, without a unit of work."""
    pack = rulebook.at_place(to_shape(authority.jurisdiction), now)
    return rulebook.with_overlays(pack, switched_on(db, authority.id), pack.local_date(now))
