"""What an officer sends from the review desk, and the steps of work that it means; each step is one command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import shapely
from shapely.geometry import LineString, Polygon
from werkzeug.datastructures import MultiDict

from geo.geojson import parse_document, parse_geometry
from schemas.refusals import RuleViolation, invalid
from schemas.store.work import Work
from sensing.decisions import (
    assign_detection,
    confirm_detection,
    leave_detection_open,
    merge_detections,
    redraw_detection,
    reject_detection,
    split_detection,
    undo_decision,
)
from web.desk import queries
from web.identity.request_identity import current_actor, services

LONGEST_REASON = 500
MOST_OTHERS = 20
TAKE = "assign"
VERDICTS = {"confirm": confirm_detection, "reject": reject_detection, "leave_open": leave_detection_open}
DECISIONS = (*VERDICTS, TAKE, "redraw", "split", "merge", "undo")
# What the same officer decides about a finding that nobody has taken on is decided by who takes it on.
NEEDS_TAKING = (*VERDICTS, "redraw", "split", "merge")
# An outline that was drawn and not yet recorded is what these are about.
DRAWN_BEFORE = ("confirm", "split", "merge")
OUTLINE_DID_NOT_FIT = "outline"

Step = Callable[[Work, str, int], str]


@dataclass(frozen=True)
class Sent:
    """A form of the desk, read; `code` is a reason of the list, `reason` says it in the officer's own words."""

    decision: str
    reason: str
    code: str | None
    version: int
    shape: Polygon | None
    line: LineString | None
    others: tuple[str, ...]


def read(form: MultiDict[str, str]) -> Sent:
    """What was sent. Raises RuleViolation 422 for what the desk does not send."""
    decision, reason, version = form.get("decision", ""), form.get("reason", "").strip(), form.get("version", "")
    if decision not in DECISIONS:
        raise unknown("decision", decision, ", ".join(DECISIONS))
    if len(reason) > LONGEST_REASON:
        raise unknown("reason", reason, f"1-{LONGEST_REASON}")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise unknown("version", version, "1, 2, 3 ...")
    others = tuple(one for one in form.get("others", "").split(",") if one)
    if len(others) >= MOST_OTHERS or any(len(one) > 20 for one in others):
        raise unknown("others", str(len(others)), f"0-{MOST_OTHERS - 1}")
    shape, line = _shape(form.get("shape", ""), "Polygon"), _shape(form.get("line", ""), "LineString")
    if (decision == "redraw" and shape is None) or (decision == "split" and line is None):
        raise unknown("shape" if decision == "redraw" else "line", "", "GeoJSON")
    assert shape is None or isinstance(shape, Polygon)
    assert line is None or isinstance(line, LineString)
    return Sent(decision, reason, form.get("code") or None, int(version), shape, line, others)


def _shape(text: str, kind: str) -> shapely.Geometry | None:
    return parse_geometry(parse_document(text.encode()), allow={kind}) if text.strip() else None


def unknown(name: str, value: str, required: str) -> RuleViolation:
    """The answer to a value that the desk does not send."""
    return invalid("query.unknown", "web.query_unknown", name=name, measured=value[:40], required=required)


def record(public_id: str, sent: Sent) -> str:
    """Does what was asked, each step by itself, and gives the finding to look at then.

    Raises RuleViolation with every reason for a refusal; steps before the refused one stay recorded: an outline that
    was drawn is kept although the finding could not be accepted.
    """
    house, actor = services(), current_actor()
    seen, goal = sent.version, public_id
    with house.session() as db:
        state = queries.row_of(db, actor, public_id).state
        loose = [other for other in sent.others if queries.row_of(db, actor, other).state == "new"]
    for other in loose:
        with house.work(actor) as work:
            assign_detection(work, other, actor.code or "")
            work.commit()
    for step in _steps(sent, state):
        with house.work(actor) as work:
            # Looked up among the actor's own authorities, so that an id of another one is unknown here.
            row = queries.row_of(work.session, actor, public_id)
            for other in sent.others:
                queries.row_of(work.session, actor, other)
            goal = step(work, public_id, seen)
            work.commit()
            seen = row.version
    return goal


def _steps(sent: Sent, state: str) -> Iterator[Step]:
    if state == "new" and sent.decision in NEEDS_TAKING:
        yield _take
    if sent.decision == TAKE:
        yield _take
        return
    if sent.decision in DRAWN_BEFORE and sent.shape is not None:
        yield lambda work, one, seen: _redraw(work, one, seen, sent)
    if sent.decision in VERDICTS:
        yield lambda work, one, seen: _verdict(work, one, seen, sent)
    else:
        yield lambda work, one, seen: _EDITS[sent.decision](work, one, seen, sent)


def _take(work: Work, public_id: str, seen: int) -> str:
    return assign_detection(work, public_id, work.actor.code or "", seen=seen).public_id


def _verdict(work: Work, public_id: str, seen: int, sent: Sent) -> str:
    return VERDICTS[sent.decision](work, public_id, sent.reason, seen=seen, code=sent.code).public_id


def _redraw(work: Work, public_id: str, seen: int, sent: Sent) -> str:
    assert sent.shape is not None
    # The reason of an acceptance says why it was accepted, not why its outline was drawn anew.
    code, reason = (sent.code, sent.reason) if sent.decision == "redraw" else (OUTLINE_DID_NOT_FIT, "")
    redraw_detection(work, public_id, sent.shape, reason, seen=seen, code=code)
    return public_id


def _split(work: Work, public_id: str, seen: int, sent: Sent) -> str:
    assert sent.line is not None
    return split_detection(work, public_id, sent.line, sent.reason, seen, code=sent.code)[0].public_id


def _merge(work: Work, public_id: str, seen: int, sent: Sent) -> str:
    return merge_detections(work, (public_id, *sent.others), sent.reason, seen, code=sent.code).public_id


def _undo(work: Work, public_id: str, seen: int, sent: Sent) -> str:
    return undo_decision(work, public_id, sent.reason, seen, code=sent.code).public_id


_EDITS = {"redraw": _redraw, "split": _split, "merge": _merge, "undo": _undo}
