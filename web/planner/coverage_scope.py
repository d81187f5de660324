"""Which studies of coverage somebody may open: those of the authorities for which they draft; others are not there."""

from __future__ import annotations

from sqlalchemy.orm import Session

from geo.commands import studies
from schemas.actors import Actor
from schemas.refusals import conflict
from schemas.tables import CoverageStudy
from web.permissions import Permission
from web.planner import scope

DONE = "done"
OPEN = ("waiting", "working")


def opened(db: Session, actor: Actor, public_id: str) -> CoverageStudy:
    """The study, where the actor may open it; raises RuleViolation 404 for any other."""
    own = {one.id for one in scope.authorities(db, actor, Permission.DRAFT_PLACES)}
    return studies.opened(db, actor, public_id, own)


def require_answer(study: CoverageStudy) -> None:
    """Raises RuleViolation 409 where a study has no answer yet."""
    if study.stage != DONE:
        raise conflict("coverage.not_done", "coverage.not_done", measured=study.public_id)


def tag_of(study: CoverageStudy) -> str:
    """A word that changes whenever a study has been computed anew."""
    return f"{study.public_id}-{study.ended_at.timestamp():.6f}" if study.ended_at else f"{study.public_id}-0"
