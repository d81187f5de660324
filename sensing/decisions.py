"""What officers do with findings: take on, accept, reject, leave open, redraw, cut, join, and take back.

Every function takes a unit of work and leaves the commit to the edge. `seen` is the version that the officer looked
at: where somebody was faster the answer is 409 with who, what and when. The database judges all of it once more
(sql/0005_desk.sql).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import shapely
from sqlalchemy import select

from schemas.ids import public_id
from schemas.machine import Change
from schemas.refusals import Kind, RuleViolation, conflict, invalid, refuse
from schemas.store.work import Work
from schemas.tables import Decision, Derivation, Detection, Label, LabelWithdrawal, Person, Scene
from schemas.words import Coded
from sensing.cutting import cut
from sensing.derived import outline_of, outline_sha256, parts_of, whole_of
from sensing.learn.labels import ACCEPT, EDIT, REJECT, of_decision
from sensing.reasons import Why, why
from sensing.releasing import inherit_releases

Seen = int | Mapping[str, int] | None

# What a decision about a find teaches; one that is left open teaches nothing.
# What can be done to an outline, and not to a window of readings.
_OF_IMAGES = ("redraw", "split", "merge")
_TEACHES = {"confirm": ACCEPT, "reject": REJECT}
# As many finds as one thing may have been found in.
MOST_MERGED = 20


def assign_detection(work: Work, detection_id: str, assignee_code: str, *, seen: int | None = None) -> Detection:
    """Give a detection to a qualified officer (GD-30.1)."""
    detection = _locked(work, [detection_id], seen, "assign")[0]
    person = work.session.scalars(select(Person).where(Person.code == assignee_code)).one_or_none()
    assignee_id = person.id if person else None
    work.apply(detection, "assign", assignee_id=assignee_id, record={"assignee_id": str(assignee_id)})
    detection.assigned_to = assignee_id
    return detection


def confirm_detection(
    work: Work, detection_id: str, reason: str, *, seen: int | None = None, code: str | None = None
) -> Detection:
    """Accept a detection, as triage on the masked copy: evidence review comes later (GD-30.1, GD-30.3)."""
    return _decide(work, detection_id, "confirm", why("confirm", code, reason), seen)


def reject_detection(
    work: Work, detection_id: str, reason: str, *, seen: int | None = None, code: str | None = None
) -> Detection:
    """Call a detection a false alarm, with the reason, which becomes the name of a hard negative."""
    return _decide(work, detection_id, "reject", why("reject", code, reason), seen)


def leave_detection_open(
    work: Work, detection_id: str, reason: str, *, seen: int | None = None, code: str | None = None
) -> Detection:
    """Say that the image does not settle it, with the reason."""
    return _decide(work, detection_id, "leave_open", why("leave_open", code, reason), seen)


def _decide(work: Work, detection_id: str, kind: str, given: Why, seen: int | None) -> Detection:
    detection = _locked(work, [detection_id], seen, kind)[0]
    number = public_id("DD")
    change = work.apply(detection, kind, reason=given.told, record={"decision": number})
    label = None
    # What was measured teaches nothing about images.
    if kind in _TEACHES and detection.exceedance_id is None:
        label = of_decision(detection, _TEACHES[kind], (_person(work), given.taught))
    _write(work, detection, change, given, number=number, label=label)
    detection.decided_by, detection.decided_at, detection.reason = work.actor.person_id, work.now, given.told
    return detection


def redraw_detection(
    work: Work,
    detection_id: str,
    shape: shapely.Polygon,
    reason: str,
    *,
    seen: int | None = None,
    code: str | None = None,
) -> Label:
    """An officer's own outline of a find, kept beside the engine's, which stays as it was recorded (GD-30.1)."""
    given = why("redraw", code, reason)
    detection = _locked(work, [detection_id], seen, "redraw")[0]
    refusals = work.check(detection, ["GD-30.1:officer_qualified", "state.reason:given"], reason=given.told)
    if not shapely.intersects(shape, outline_of(work.session, detection)):
        elsewhere = "detection.redrawn_elsewhere"
        refusals.append(refuse(elsewhere, elsewhere, measured=detection.public_id))
    if refusals:
        raise RuleViolation(Kind.CONFLICT, refusals)
    number, label = public_id("DD"), of_decision(detection, EDIT, (_person(work), given.taught), shape)
    about = {"decision": number, "label": label.public_id, "outline_sha256": outline_sha256(shape)}
    change = work.apply(detection, "redraw", reason=given.told, record=about)
    _write(work, detection, change, given, number=number, label=label)
    return label


def split_detection(
    work: Work,
    detection_id: str,
    line: shapely.LineString,
    reason: str,
    seen: int | None = None,
    *,
    code: str | None = None,
) -> tuple[Detection, ...]:
    """Cut a find along a line (EPSG:4326) into finds of their own, the largest first; the whole stays on record."""
    given = why("split", code, reason)
    whole = _locked(work, [detection_id], seen, "split")[0]
    number, outline = public_id("DD"), outline_of(work.session, whole)
    pieces = cut(outline, line)
    parts = parts_of(work.session, whole, pieces, line, decision=number, pack=work.pack_for(whole))
    about = {"decision": number, "parts": [part.public_id for part in parts]}
    change = work.apply(whole, "split", reason=given.told, record=about)
    details = {"line": shapely.geometry.mapping(line), "parts": about["parts"]}
    decision = _write(work, whole, change, given, number=number, details=details)
    _make(work, parts, [decision])
    _close(work, whole, given)
    return tuple(parts)


def merge_detections(
    work: Work, detection_ids: Sequence[str], reason: str, seen: Seen = None, *, code: str | None = None
) -> Detection:
    """Join finds of one kind in one scene to one find; what does not touch is joined by a strip of one pixel.

    `seen` is the version of the first of them, or those of all by id.
    """
    given = why("merge", code, reason)
    ids = list(dict.fromkeys(detection_ids))
    if not 2 <= len(ids) <= MOST_MERGED:
        raise invalid("detection.merge_count", measured=len(ids), required=f"2-{MOST_MERGED}")
    sources = _locked(work, ids, seen, "merge")
    if len({(one.scene_id, one.kind, one.authority_id) for one in sources}) > 1:
        raise conflict("detection.merge_unlike", measured=", ".join(ids))
    scene = work.session.get_one(Scene, sources[0].scene_id)
    number, act = public_id("DD"), uuid.uuid4()
    whole = whole_of(work.session, sources, scene.gsd_m or 1.0, decision=number)
    about = {"decision": number, "whole": whole.public_id, "from": ids}
    decisions = []
    for position, source in enumerate(sources):
        if position == 0:
            change = work.apply(source, "merge", reason=given.told, record=about)
        else:
            change = work.also(source, "merge", reason=given.told)
        own = number if position == 0 else public_id("DD")
        details = {"whole": whole.public_id, "from": ids}
        decisions.append(_write(work, source, change, given, number=own, act=act, details=details))
        _close(work, source, given)
    _make(work, [whole], decisions)
    return whole


def undo_decision(
    work: Work, detection_id: str, reason: str, seen: int | None = None, *, code: str | None = None
) -> Detection:
    """Take back one's own last decision on a find, while nothing stands on it; a part or a whole stands for its act.

    Everything stays on record: the decision, the label that it left and what was made; the ledger tells of both.
    Gives the find that the decision was about.
    """
    given = why("undo", code, reason)
    addressed = work.get(Detection, detection_id)
    undone = _act(work, addressed)
    of_the_act = select(Derivation.detection_id).where(Derivation.decision_id.in_([one.id for one in undone]))
    made = list(work.session.scalars(select(Detection).where(Detection.id.in_(of_the_act))))
    sources = [one.detection for one in undone]
    act, step = uuid.uuid4(), "undo_redraw" if undone[0].kind == "redraw" else "undo"
    others = [one.public_id for one in (*sources, *made) if one is not addressed]
    _locked(work, [addressed.public_id, *others], seen, step)
    about = {"undone": [one.public_id for one in undone], "withdrawn": [one.public_id for one in made]}
    for position, (source, decision) in enumerate(zip(sources, undone, strict=True)):
        number = public_id("DD")
        if position == 0:
            record = about | {"decision": [number]}
            change = work.apply(source, step, record=record, decision=decision, made=made, reason=given.told)
        else:
            change = work.also(source, step, decision=decision, made=made, reason=given.told)
        answer = _write(work, source, change, given, number=number, act=act, undoes=decision)
        if decision.label_id is not None:
            work.session.add(LabelWithdrawal(label_id=decision.label_id, decision=answer))
        if step == "undo":
            source.decided_by = source.decided_at = source.reason = None
    for one in made:
        work.also(one, "withdraw")
    return addressed if addressed in sources else sources[0]


def _act(work: Work, detection: Detection) -> list[Decision]:
    """The last decision on a find, or the one that it comes of, for every find that it was about."""
    own = select(Decision).where(
        Decision.detection_id == detection.id, Decision.version == detection.version, Decision.kind != "undo"
    )
    last = work.session.scalars(own).one_or_none()
    if last is None and detection.version == 1:
        born = select(Decision).join(Derivation, Derivation.decision_id == Decision.id)
        last = work.session.scalars(born.where(Derivation.detection_id == detection.id).limit(1)).one_or_none()
    if last is None:
        raise conflict("GD-30.1", "detection.nothing_to_undo", measured=detection.public_id)
    return list(work.session.scalars(select(Decision).where(Decision.act == last.act).order_by(Decision.public_id)))


def _locked(work: Work, ids: Sequence[str], seen: Seen, step: str) -> list[Detection]:
    """The finds of these ids as they are now, held until the end; 409 where one is not what the officer saw."""
    found = [work.get(Detection, one) for one in ids]
    work.attempts(found[0], step)
    measured = next((one for one in found if one.exceedance_id is not None), None)
    if measured is not None and step in _OF_IMAGES:
        raise conflict("detection.of_readings", measured=measured.public_id)
    for row in sorted(found, key=lambda one: one.id):
        # In one order, so that two who want the same finds wait for each other and not for ever.
        work.session.refresh(row, with_for_update=True)
    versions = seen if isinstance(seen, Mapping) else {ids[0]: seen}
    for row in found:
        wanted = versions.get(row.public_id)
        if wanted is not None and wanted != row.version:
            raise _changed(work, row, wanted)
    return found


def _changed(work: Work, detection: Detection, seen: int) -> RuleViolation:
    """What became of a find meanwhile: who decided what, and when."""
    last = work.session.scalars(
        select(Decision).where(Decision.detection_id == detection.id).order_by(Decision.version.desc()).limit(1)
    ).one_or_none()
    told: dict[str, Any] = {"subject": detection.public_id, "measured": detection.version, "required": seen}
    told["state"] = Coded("state", [detection.state])
    if last is None or last.version <= seen:
        holder = work.session.get(Person, detection.assigned_to) if detection.assigned_to else None
        return conflict("state.stale", "detection.meanwhile_taken", **_named(holder), **told)
    at = last.decided_at.astimezone(work.pack_for(detection).zone)
    step = Coded("step", [last.kind])
    return conflict(
        "state.stale", "detection.meanwhile", **_named(last.person), step=step, at=f"{at:%Y-%m-%d %H:%M}", **told
    )


def _named(person: Person | None) -> dict[str, str]:
    """Somebody as a refusal says it in each language."""
    if person is None:
        return {"who_en": "–", "who_zh": "–"}
    return {"who_en": f"{person.name_en} ({person.code})", "who_zh": f"{person.name_zh}（{person.code}）"}


def _write(  # noqa: PLR0913
    work: Work,
    detection: Detection,
    change: Change,
    given: Why,
    *,
    number: str,
    act: uuid.UUID | None = None,
    label: Label | None = None,
    undoes: Decision | None = None,
    details: Mapping[str, Any] | None = None,
) -> Decision:
    """The row of a decision, and the label that it leaves."""
    row = Decision(
        id=uuid.uuid4(),
        public_id=number,
        act=act or uuid.uuid4(),
        detection=detection,
        kind="undo" if undoes else change.transition,
        source=change.source,
        target=change.target,
        version=detection.version,
        person_id=_person(work),
        decided_at=work.now,
        code=given.code,
        reason=given.told,
        label=label,
        undoes_id=undoes.id if undoes else None,
        details=dict(details or {}),
    )
    work.session.add(row)
    return row


def _make(work: Work, made: Sequence[Detection], decisions: Sequence[Decision]) -> None:
    """Finds that come of decisions begin where their sources were."""
    for one in made:
        work.also(one, "derive")
        for decision in decisions:
            work.session.add(Derivation(detection=one, source=decision.detection, decision=decision))
    inherit_releases(work.session, made, [decision.detection for decision in decisions])


def _close(work: Work, detection: Detection, given: Why) -> None:
    detection.decided_by, detection.decided_at, detection.reason = work.actor.person_id, work.now, given.told


def _person(work: Work) -> uuid.UUID:
    if work.actor.person_id is None:
        raise conflict("GD-30.1", "detection.nobody")
    return work.actor.person_id
