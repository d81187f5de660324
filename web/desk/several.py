"""Several findings of the queue at once: taken on, or rejected with one reason; each is a decision of its own.

Nothing is accepted this way: whoever accepts a finding has looked at it (GD-30.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from schemas.actors import Actor
from schemas.refusals import Refusal, RuleViolation, invalid
from sensing.decisions import assign_detection, reject_detection
from sensing.reasons import why
from web.desk import queries
from web.wiring import Services

TAKE, REJECT = "assign", "reject"
DECISIONS = (TAKE, REJECT)
MOST = 50
LONGEST_REASON = 500


@dataclass(frozen=True)
class Asked:
    """What is asked for several findings; `seen` holds the version of each that the officer saw, by its id."""

    decision: str
    seen: Mapping[str, int | None]
    code: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Told:
    """What became of each: `done` are recorded, `refused` hold every reason against the others, by id."""

    decision: str
    done: tuple[str, ...]
    refused: Mapping[str, tuple[Refusal, ...]]


def read(form: MultiDict[str, str]) -> Asked:
    """What was sent: `finding=ID@VERSION` again and again. Raises RuleViolation 422 for what the desk does not send."""
    decision, reason = form.get("decision", ""), form.get("reason", "").strip()
    if decision not in DECISIONS:
        raise _unknown("decision", decision, ", ".join(DECISIONS))
    if len(reason) > LONGEST_REASON:
        raise _unknown("reason", reason, f"1-{LONGEST_REASON}")
    seen = dict(_seen(one) for one in form.getlist("finding"))
    if not 1 <= len(seen) <= MOST:
        raise _unknown("finding", str(len(seen)), f"1-{MOST}")
    return checked(Asked(decision, seen, form.get("code") or None, reason))


def checked(asked: Asked) -> Asked:
    """The same, where a rejection has a reason; raises RuleViolation 422 or 409 once and not for every finding."""
    if asked.decision == REJECT and not why(REJECT, asked.code, asked.reason).told:
        raise invalid("state.reason", "machine.reason")
    return asked


def _seen(one: str) -> tuple[str, int | None]:
    public_id, _, version = one.partition("@")
    if not (version.isascii() and version.isdigit() and len(version) < 10 and len(public_id) <= 20):
        raise _unknown("finding", one, "ID@VERSION")
    return public_id, int(version)


def _unknown(name: str, value: str, required: str) -> RuleViolation:
    return invalid("query.unknown", "web.query_unknown", name=name, measured=value[:40], required=required)


def record(house: Services, actor: Actor, asked: Asked) -> Told:
    """Does it for each by itself: one that somebody else decided meanwhile does not keep the others back."""
    done: list[str] = []
    refused: dict[str, tuple[Refusal, ...]] = {}
    for public_id, seen in asked.seen.items():
        try:
            _record(house, actor, public_id, asked, seen)
            done.append(public_id)
        except RuleViolation as error:
            refused[public_id] = tuple(error.refusals)
    return Told(asked.decision, tuple(done), refused)


def _record(house: Services, actor: Actor, public_id: str, asked: Asked, seen: int | None) -> None:
    with house.session() as db:
        # Looked up among the actor's own authorities, so that an id of another one is unknown here.
        state = queries.row_of(db, actor, public_id).state
    if asked.decision == TAKE or state == "new":
        with house.work(actor) as work:
            seen = assign_detection(work, public_id, actor.code or "", seen=seen).version
            work.commit()
    if asked.decision == REJECT:
        with house.work(actor) as work:
            reject_detection(work, public_id, asked.reason, seen=seen, code=asked.code)
            work.commit()
