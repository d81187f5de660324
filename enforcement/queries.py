"""Reading what citizens said, for the desk of those who answer and for whoever asked."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from schemas.tables import Authority, Complaint, Correction


@dataclass(frozen=True)
class Words:
    """A complaint, a question or a report as the desk reads it; restricted, and the words are a stranger's."""

    public_id: str
    authority_id: uuid.UUID
    authority_en: str
    authority_zh: str
    state: str
    version: int
    kind: str
    about_kind: str | None
    about_id: str | None
    said: str
    contact: str | None
    lang: str
    received_at: datetime
    due_on: date
    handled_at: datetime | None
    outcome: str | None
    note: str | None
    replied_at: datetime | None
    reply: str | None
    corrected_en: str | None
    corrected_zh: str | None

    def is_late(self, today: date) -> bool:
        """Whether the day has passed by which it was to be answered, on the local date `today`."""
        return self.state != "replied" and self.due_on < today


Asked = Select[Complaint, str, str, str | None, str | None]
_ALL: Asked = (
    select(Complaint, Authority.name_en, Authority.name_zh, Correction.text_en, Correction.text_zh)
    .join(Authority, Authority.id == Complaint.authority_id)
    .outerjoin(Correction, Correction.complaint_id == Complaint.id)
)


def waiting(session: Session, authorities: Collection[uuid.UUID]) -> tuple[Words, ...]:
    """What waits for an answer of these authorities; what is due first comes first."""
    query = _ALL.where(Complaint.state != "replied", Complaint.authority_id.in_(authorities))
    return _read(session, query.order_by(Complaint.due_on, Complaint.received_at))


def answered(session: Session, authorities: Collection[uuid.UUID], *, limit: int = 50) -> tuple[Words, ...]:
    """What these authorities have answered, the latest first."""
    query = _ALL.where(Complaint.state == "replied", Complaint.authority_id.in_(authorities))
    return _read(session, query.order_by(Complaint.replied_at.desc()).limit(limit))


def words_of(session: Session, name: str) -> Words | None:
    """What was said under that number, or None."""
    found = _read(session, _ALL.where(Complaint.public_id == name)) if "\0" not in name else ()
    return next(iter(found), None)


def words_sent(session: Session, once: uuid.UUID) -> Words | None:
    """What was said by the form of that name, or None where it was not sent yet."""
    return next(iter(_read(session, _ALL.where(Complaint.once == once))), None)


def _read(session: Session, query: Asked) -> tuple[Words, ...]:
    return tuple(
        Words(
            public_id=row.public_id,
            authority_id=row.authority_id,
            authority_en=name_en,
            authority_zh=name_zh,
            state=row.state,
            version=row.version,
            kind=row.kind,
            about_kind=row.about_kind,
            about_id=row.about_id,
            said=row.said,
            contact=row.contact,
            lang=row.lang,
            received_at=row.received_at,
            due_on=row.due_on,
            handled_at=row.handled_at,
            outcome=row.outcome,
            note=row.note,
            replied_at=row.replied_at,
            reply=row.reply,
            corrected_en=corrected_en,
            corrected_zh=corrected_zh,
        )
        for row, name_en, name_zh, corrected_en, corrected_zh in session.execute(query)
    )
