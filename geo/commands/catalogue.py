"""Commands on the catalogue of supervision items: nothing is supervised outside the list (IR-1)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from geo.checklists import SOLE_EVIDENCE_LEVELS
from geo.commands.words import refuse_unknown
from schemas.actors import ActorKind
from schemas.ids import public_id
from schemas.refusals import conflict, forbidden
from schemas.store.work import Work
from schemas.tables import LegalBasis, SupervisionItem

LAW_LEVELS = ("law", "administrative_regulation", "local_regulation", "rule", "normative")


@dataclass(frozen=True, kw_only=True)
class NewLaw:
    """An article of law; `sole_evidence` where it allows a penalty on a device's evidence alone."""

    code: str
    title_en: str
    title_zh: str
    article: str
    level: str
    sole_evidence: bool = False


@dataclass(frozen=True, kw_only=True)
class NewItem:
    """A thing that is supervised, and the article under which it is."""

    code: str
    name_en: str
    name_zh: str
    law: LegalBasis


def add_law(work: Work, new: NewLaw) -> LegalBasis:
    """Enters an article of law; raises RuleViolation 409 for a taken code, 422 for a level that cannot carry it."""
    refuse_unless_host(work)
    refuse_unknown([("level", new.level, LAW_LEVELS)])
    if new.sole_evidence:
        refuse_unknown([("level", new.level, SOLE_EVIDENCE_LEVELS)])
    _refuse_taken(work, LegalBasis, new.code)
    row = LegalBasis(
        public_id=public_id("LB"),
        code=new.code,
        title_en=new.title_en,
        title_zh=new.title_zh,
        article=new.article,
        level=new.level,
        allows_sole_device_evidence=new.sole_evidence,
    )
    work.session.add(row)
    work.session.flush()
    work.record("law.add", "legal_basis", row.id, {"code": row.code, "article": row.article, "level": row.level})
    return row


def add_item(work: Work, new: NewItem) -> SupervisionItem:
    """Enters an item of the catalogue; raises RuleViolation 409 for a taken code."""
    refuse_unless_host(work)
    _refuse_taken(work, SupervisionItem, new.code)
    row = SupervisionItem(
        public_id=public_id("SI"),
        code=new.code,
        name_en=new.name_en,
        name_zh=new.name_zh,
        legal_basis_id=new.law.id,
    )
    work.session.add(row)
    work.session.flush()
    work.record("item.add", "supervision_item", row.id, {"code": row.code, "law": new.law.code})
    return row


def refuse_unless_host(work: Work) -> None:
    """Raise RuleViolation 403 unless those who run the installation act."""
    if work.actor.kind is not ActorKind.HOST:
        raise forbidden("state.role", "register.host")


def _refuse_taken(work: Work, kind: type[LegalBasis] | type[SupervisionItem], code: str) -> None:
    if work.session.scalar(select(kind.id).where(kind.code == code)) is not None:
        raise conflict("register.taken", measured=code)
