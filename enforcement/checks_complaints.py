"""What must hold before a complaint or a question is received, counts as looked into, and is replied to (GD-45.1)."""

from __future__ import annotations

from collections.abc import Iterable

from enforcement.subjects import is_shown
from schemas.machine import Context, label
from schemas.refusals import Refusal, refuse
from schemas.tables import Complaint

LONGEST = 4_000
# What may come of each kind of words: a question is answered, and only what somebody holds to be wrong is justified.
OUTCOMES = {
    "complaint": ("justified", "unjustified"),
    "error": ("justified", "unjustified"),
    "question": ("answered",),
}


def says_something(context: Context) -> Iterable[Refusal]:
    """GD-45.1: there is a text that somebody can read."""
    complaint: Complaint = context.subject
    length = len(complaint.said)
    if not complaint.said.strip():
        yield refuse("GD-45.1", "complaint.empty")
    elif length > LONGEST:
        yield refuse("GD-45.1", "complaint.long", measured=length, required=LONGEST)


def subject_is_shown(context: Context) -> Iterable[Refusal]:
    """GD-45.1: what it is about stands on the public map; of anything else nobody may learn here that it exists."""
    complaint: Complaint = context.subject
    kind, name = complaint.about_kind, complaint.about_id
    if kind is not None and name is not None and not is_shown(context.session, kind, name, complaint.authority_id):
        yield refuse("GD-45.1", "complaint.unknown_subject", measured=name[:40])


def outcome_fits(context: Context) -> Iterable[Refusal]:
    """GD-45.1: the outcome is one that words of this kind can have."""
    complaint: Complaint = context.subject
    allowed = OUTCOMES[complaint.kind]
    if context.params.get("outcome") not in allowed:
        yield refuse("GD-45.1", "complaint.outcome", subject=label(complaint), required=", ".join(allowed))


def answered_in_words(context: Context) -> Iterable[Refusal]:
    """GD-45.1: whoever asked is answered in words."""
    if not str(context.params.get("reply") or "").strip():
        yield refuse("GD-45.1", "complaint.no_reply", subject=label(context.subject))


def error_put_right(context: Context) -> Iterable[Refusal]:
    """GD-45.1: what was rightly complained of is put right, and that is told; nothing else is told as an error."""
    complaint: Complaint = context.subject
    if (complaint.outcome == "justified") != bool(context.params.get("corrected")):
        text = "complaint.no_correction" if complaint.outcome == "justified" else "complaint.nothing_to_correct"
        yield refuse("GD-45.1", text, subject=label(complaint))
