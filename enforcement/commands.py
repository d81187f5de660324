"""Commands on what citizens say: received, looked into, replied to; and errors put right (GD-45.1).

The ledger is told ids and a hash of the words, never the words, and never how somebody is reached.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from enforcement.checks_complaints import LONGEST, OUTCOMES
from enforcement.subjects import KINDS as SUBJECTS
from enforcement.subjects import is_shown
from geo.periods import answer_due
from schemas.ids import new_id, public_id
from schemas.refusals import forbidden, invalid
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Authority, Complaint, Correction
from schemas.words import Coded

KINDS = tuple(OUTCOMES)
# For so long after the reply somebody may be reached about it; then how to reach them is forgotten.
CONTACT_KEPT = timedelta(days=90)
_ANSWERING = (Role.OFFICER, Role.UNIT_HEAD)


@dataclass(frozen=True, kw_only=True)
class NewComplaint:
    """What somebody says; `about` is a kind and a public id of the map. `once` names the form that was sent."""

    authority: Authority
    kind: str
    said: str
    lang: str
    once: uuid.UUID
    about: tuple[str, str] | None = None
    contact: str = ""


@dataclass(frozen=True)
class NewCorrection:
    """What was put right, for everybody to read, in both languages and without names."""

    text_en: str
    text_zh: str


def receive(work: Work, new: NewComplaint) -> Complaint:
    """Takes in what somebody said; the answer is due within the days that the rule pack gives. Raises RuleViolation."""
    if new.kind not in KINDS:
        raise invalid("GD-45.1", "complaint.kind", measured=new.kind[:40], required=", ".join(KINDS))
    if new.about is not None and new.about[0] not in SUBJECTS:
        raise invalid("GD-45.1", "complaint.unknown_subject", measured=new.about[1][:40])
    complaint = Complaint(
        id=new_id(),
        public_id=public_id("CM"),
        authority=new.authority,
        authority_id=new.authority.id,
        kind=new.kind,
        about_kind=new.about[0] if new.about else None,
        about_id=new.about[1] if new.about else None,
        said=new.said.strip(),
        contact=new.contact.strip() or None,
        lang=new.lang,
        once=new.once,
        received_at=work.now,
    )
    with work.session.no_autoflush:
        complaint.due_on = answer_due(work.pack_for(complaint), "complaint.reply_due", work.now)
        digest = hashlib.sha256(complaint.said.encode("utf-8", "surrogatepass")).hexdigest()
        work.apply(complaint, "receive", record={"said_sha256": digest})
    return complaint


def handle(work: Work, name: str, *, outcome: str, note: str, seen_version: int | None = None) -> Complaint:
    """Records what came of looking into it, with a note for the file; the reply follows. Raises RuleViolation."""
    complaint = work.get(Complaint, name)
    with work.session.no_autoflush:
        work.apply(
            complaint,
            "handle",
            expected_version=seen_version,
            record={"outcome": outcome},
            outcome=outcome,
            reason=note,
        )
        complaint.outcome, complaint.note = outcome, note.strip()
        complaint.handled_by_id, complaint.handled_at = work.actor.person_id, work.now
    return complaint


def reply(
    work: Work, name: str, words: str, *, correction: NewCorrection | None = None, seen_version: int | None = None
) -> Complaint:
    """Answers whoever asked; what was justified is put right in the same step, publicly. Raises RuleViolation."""
    complaint = work.get(Complaint, name)
    if len(words) > LONGEST:
        raise invalid("GD-45.1", "complaint.long", measured=len(words), required=LONGEST)
    with work.session.no_autoflush:
        corrected = None if correction is None else _correction(work, complaint.authority_id, correction)
        told = {"correction": corrected.public_id} if corrected else {}
        work.apply(
            complaint, "reply", expected_version=seen_version, record=told, reply=words, corrected=corrected is not None
        )
        complaint.reply, complaint.replied_by_id, complaint.replied_at = words.strip(), work.actor.person_id, work.now
        if corrected is not None:
            corrected.complaint_id = complaint.id
            corrected.about_kind, corrected.about_id = complaint.about_kind, complaint.about_id
            work.session.add(corrected)
    return complaint


def correct(
    work: Work, authority: Authority, correction: NewCorrection, *, about: tuple[str, str] | None = None
) -> Correction:
    """Tells what an authority has put right on its own motion. Raises RuleViolation."""
    made = _correction(work, authority.id, correction)
    work.record("correction.make", "correction", made.id, {"subject": made.public_id})
    if not any(work.actor.has(role, authority.id) for role in _ANSWERING):
        subject = Coded("subject", ["correction"], f" {made.public_id}")
        step, required = Coded("step", ["make"]), Coded("role", _ANSWERING)
        raise forbidden("state.role", "machine.role", subject=subject, transition=step, required=required)
    if about is not None:
        if not is_shown(work.session, *about, authority.id):
            raise invalid("GD-45.1", "complaint.unknown_subject", measured=about[1][:40])
        made.about_kind, made.about_id = about
    work.session.add(made)
    return made


def _correction(work: Work, authority_id: uuid.UUID, new: NewCorrection) -> Correction:
    if not (new.text_en.strip() and new.text_zh.strip()):
        raise invalid("GD-45.1", "complaint.correction_untold")
    assert work.actor.person_id is not None
    return Correction(
        id=new_id(),
        public_id=public_id("CR"),
        authority_id=authority_id,
        corrected_at=work.now,
        corrected_by_id=work.actor.person_id,
        text_en=new.text_en.strip(),
        text_zh=new.text_zh.strip(),
    )


def forget_contacts(session: Session, now: datetime) -> int:
    """Forgets how to reach those who were answered long ago, in a session that commits; how many they were."""
    over = Complaint.contact.is_not(None) & (Complaint.replied_at < now - CONTACT_KEPT)
    forgotten = session.scalars(update(Complaint).where(over).values(contact=None).returning(Complaint.id))
    return len(forgotten.all())
