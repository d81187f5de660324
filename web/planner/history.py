"""What happened to a subject, from the ledger: when, what, by whom, and the words that were given."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from schemas.tables import Person
from schemas.tables.base import Stated
from web.planner.words import STEPS, said

_EVENTS = text("""
    SELECT action, actor, recorded_at, body FROM ledger.event
    WHERE subject_kind = :kind AND subject_id = :id AND action <> 'refused' ORDER BY id
""")
# Who reviews does not begin anything anew: what waits has waited since the step before.
_SINCE = text("""
    SELECT max(recorded_at) FROM ledger.event
    WHERE subject_kind = :kind AND subject_id = :id AND action <> 'refused' AND action NOT LIKE '%.record\\_review'
""")
_PERSON = "person:"


@dataclass(frozen=True)
class Event:
    """One step; `step` is its name in the machine, `review` which review it was, `reason` what was said."""

    at: datetime
    step: str
    words: str
    who: Mapping[str, str]
    reason: str = ""
    review: str = ""
    passed: bool | None = None


def history(db: Session, subject: Stated) -> list[Event]:
    """The events of a subject, the oldest first."""
    rows = db.execute(_EVENTS, _key(subject)).all()
    people = _people(db, {row.actor.removeprefix(_PERSON) for row in rows if row.actor.startswith(_PERSON)})
    return [_event(row.action, row.recorded_at, bytes(row.body), people.get(row.actor, _SYSTEM)) for row in rows]


_SYSTEM = {"en": "the system", "zh": "系统"}


def _key(subject: Stated) -> dict[str, str]:
    return {"kind": subject.__machine__, "id": str(subject.id)}  # type: ignore[attr-defined]


def _people(db: Session, ids: set[str]) -> dict[str, Mapping[str, str]]:
    found = db.scalars(select(Person).where(Person.id.in_({uuid.UUID(one) for one in ids})))
    return {f"{_PERSON}{one.id}": {"en": one.name_en, "zh": one.name_zh} for one in found}


def _event(action: str, at: datetime, body: bytes, who: Mapping[str, str]) -> Event:
    told = json.loads(body)
    step = action.rpartition(".")[2]
    reason = str(told.get("reason") or "")
    return Event(at, step, said(STEPS, step), who, reason, str(told.get("kind") or ""), told.get("passed"))


def since(db: Session, subject: Stated) -> datetime:
    """When a subject came into its state, as the ledger witnessed it; an imported one, when it was imported."""
    at = db.scalar(_SINCE, _key(subject))
    return at if isinstance(at, datetime) else subject.recorded_at


def last_reason(events: list[Event], steps: tuple[str, ...]) -> Event | None:
    """The latest of these steps, where nothing but reviews came after it."""
    made = [event for event in events if event.step != "record_review"]
    return made[-1] if made and made[-1].step in steps else None
