"""What was decided about a finding and about what it was cut or joined from, and what was made of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.tables import Decision, Derivation, Detection, Person
from sensing.reasons import in_languages
from sensing.shut import is_shut
from web.words import N_

STEPS: Mapping[str, str] = {
    "confirm": N_("accepted as a lead"),
    "reject": N_("rejected"),
    "leave_open": N_("left undecided"),
    "redraw": N_("outline drawn anew"),
    "split": N_("cut into parts"),
    "merge": N_("joined with others"),
    "undo": N_("decision taken back"),
}


@dataclass(frozen=True)
class Relative:
    """A finding that this one was made from, or that was made of it; `open` is whether it may be opened."""

    public_id: str
    kind: str
    state: str
    area_m2: float
    open: bool


@dataclass(frozen=True)
class Act:
    """One decision, its step as a message of the catalogue.

    `about` names the finding where it is another one, `undone` says that it was taken back.
    """

    at: datetime
    person: Mapping[str, str]
    step: str
    reason: Mapping[str, str]
    about: str | None
    undone: bool


@dataclass(frozen=True)
class Family:
    """The decisions on a finding and on its ancestors, the oldest first, and its nearest relatives."""

    acts: tuple[Act, ...]
    made_from: tuple[Relative, ...]
    made_of_it: tuple[Relative, ...]


def family(db: Session, row: Detection) -> Family:
    """The family of a finding that the reader may open; relatives are of its own authority by its birth."""
    own = select(Derivation.source_id).where(Derivation.detection_id == row.id)
    made = select(Derivation.detection_id).where(Derivation.source_id == row.id)
    return Family(
        acts=tuple(_acts(db, row)),
        made_from=_relatives(db, db.scalars(own).all()),
        made_of_it=_relatives(db, db.scalars(made).all()),
    )


def _relatives(db: Session, ids: Sequence[uuid.UUID]) -> tuple[Relative, ...]:
    rows = select(Detection, ~is_shut()).where(Detection.id.in_(ids))
    return tuple(
        Relative(one.public_id, one.kind, one.state, one.area_m2, open=is_open)
        for one, is_open in db.execute(rows.order_by(Detection.area_m2.desc(), Detection.public_id))
    )


def _acts(db: Session, row: Detection) -> list[Act]:
    undone = select(Decision.undoes_id).where(Decision.undoes_id.is_not(None))
    rows = (
        select(Decision, Detection.public_id, Person, Decision.id.in_(undone))
        .join(Detection, Detection.id == Decision.detection_id)
        .join(Person, Person.id == Decision.person_id)
        .where(Decision.detection_id.in_(_line(db, row)))
        .order_by(Decision.decided_at, Decision.recorded_at, Decision.public_id)
    )
    return [
        Act(
            at=one.decided_at,
            person={"en": person.name_en, "zh": person.name_zh},
            step=STEPS[one.kind],
            reason=in_languages(one.code, one.reason),
            about=public_id if one.detection_id != row.id else None,
            undone=was_undone,
        )
        for one, public_id, person, was_undone in db.execute(rows)
    ]


def _line(db: Session, row: Detection) -> set[uuid.UUID]:
    """The finding and everything that it was made from, all the way back."""
    line, latest = {row.id}, {row.id}
    while latest:
        sources = select(Derivation.source_id).where(Derivation.detection_id.in_(latest))
        latest = set(db.scalars(sources)) - line
        line |= latest
    return line
