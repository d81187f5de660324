"""The review desk: what waits, before and after, and a decision with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify, make_response, redirect, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.actors import Actor
from schemas.refusals import Kind, RuleViolation
from schemas.tables import Detection, Person
from sensing.queries import quarantined
from sensing.reasons import in_languages, reasons
from sensing.words import in_words
from web import words
from web.desk import deciding, pictures, queries, several, stage, surroundings
from web.desk.amounts import area_words
from web.desk.family import family
from web.desk.nearby import nearby
from web.desk.queries import DECIDED_STATES, OPEN_STATES, Finding, Row
from web.errors import wants_page
from web.i18n import current_language, gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.page import today
from web.permissions import Audience, Permission, Section

section = Section("desk", __name__, Audience.DESK)

# What the address may say of which findings are listed.
FILTERS = ("kind", "sensor", "mine", "late")
UNDOABLE_STATES = (*DECIDED_STATES, "split", "merged")
# A decision of another day is changed at the finding itself, not by a key.
_UNDO_OFFERED = timedelta(hours=12)


@section.page("/review", GET=Permission.READ_DETECTIONS, POST=Permission.DECIDE_DETECTION)
def desk() -> Response:
    """The queue, opened at what waits first; a decision on several findings of it."""
    return _page(None) if request.method == "GET" else _several()


def _several() -> Response:
    opened = request.form.get("open", "")
    try:
        told = several.record(services(), current_actor(), several.read(request.form))
    except RuleViolation as refused:
        if not wants_page():
            raise
        return _page(_known(opened) or None, refused=refused)
    if not wants_page():
        refusals = {one: RuleViolation(Kind.CONFLICT, found).render("en") for one, found in told.refused.items()}
        return jsonify(done=told.done, refused=refusals)
    return _page(_known(opened) if opened and opened not in told.done else None, told=told)


@section.page("/review/quarantine", GET=Permission.READ_DETECTIONS)
def quarantine() -> Response:
    """The images that are kept and not used, with the reason and what lets them in; no picture of any of them."""
    with services().session() as db:
        waiting = quarantined(db, queries.authorities_of(current_actor()))
    return make_response(render_template("desk/quarantine.html", waiting=waiting, lang=current_language()))


@section.page("/review/<public_id>", GET=Permission.READ_DETECTIONS, POST=Permission.DECIDE_DETECTION)
def finding(public_id: str) -> Response:
    """One finding, and the decision on it."""
    if request.method == "GET":
        return _page(public_id)
    try:
        sent = deciding.read(request.form)
        goal = deciding.record(public_id, sent)
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _page(public_id, refused=refused, form=request.form)
    return make_response(redirect(_onward(public_id, sent.decision, goal), 303))


def _onward(public_id: str, decision: str, goal: str) -> str:
    """Where it goes on: after a verdict with the finding that stood next in the queue, else with what was made."""
    shown = goal
    if decision in deciding.VERDICTS:
        shown = _known(request.form.get("next", ""))
    told = {} if decision == deciding.TAKE else {"done": public_id}
    asked = urlencode(told | _filters())
    return f"/review{'/' if shown else ''}{shown}{'?' if asked else ''}{asked}"


def _known(public_id: str) -> str:
    """The id itself where the actor may open that finding, else none."""
    with services().session() as db:
        row = _row(db, current_actor(), public_id)
    return row.public_id if row else ""


def _row(db: Session, actor: Actor, public_id: str) -> Detection | None:
    try:
        return queries.row_of(db, actor, public_id) if public_id else None
    except RuleViolation:
        return None


def _filters() -> dict[str, str]:
    return {name: value[:40] for name in FILTERS if (value := request.args.get(name, ""))}


def _kept() -> str:
    """The filters as the end of an address."""
    return f"?{urlencode(_filters())}" if _filters() else ""


@section.page("/review/<public_id>/<any(before, after):side>.png", GET=Permission.READ_DETECTIONS)
def picture(public_id: str, side: str) -> Response:
    """The masked copy around the finding; the original is never opened here."""
    house = services()
    with house.session() as db:
        found = queries.finding(db, current_actor(), public_id)
        shown = queries.side_of(db, found, side, house.clock.now())
    content, response = f"{shown.sha256}-{found.version}", Response(status=304)
    if not request.if_none_match.contains(content):
        response = Response(pictures.png(house.data_dir, found, shown), mimetype="image/png")
    # What is private from today is asked for anew today, whatever a browser kept.
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(content)
    return response


def _page(
    public_id: str | None,
    *,
    refused: RuleViolation | None = None,
    form: Mapping[str, str] | None = None,
    told: several.Told | None = None,
) -> Response:
    house, actor = services(), current_actor()
    with house.session() as db:
        wanted = _wanted()
        listed = queries.queue(db, actor, house.rulebook, house.clock.now(), wanted)
        page_full = len(listed) == queries.LONGEST_QUEUE
        behind = listed[-1].cursor if page_full else ""
        listed = [row for row in listed if row.late or not _filters().get("late")]
        opened = public_id or (listed[0].public_id if listed else None)
        page = render_template(
            "desk/review.html",
            headline=_headline(listed, queries.waiting_count(db, actor, wanted)),
            queue=listed,
            choices={
                "kinds": sorted({*queries.kinds_waiting(db, actor), *filter(None, [wanted.kind])}),
                "sensors": list(words.SENSORS),
            },
            behind=urlencode(_filters() | {"after": behind}) if behind else "",
            filters=_filters(),
            kept=_kept(),
            decided=queries.decided(db, actor, house.rulebook, house.clock.now()),
            qualified=queries.qualified(db, actor, today()),
            **_done(db, actor),
            refusals=refused.render(current_language()) if refused else [],
            typed=(form or {}).get("reason", "")[: deciding.LONGEST_REASON] if refused else "",
            form=form or {},
            several=_told(told) if told else None,
            reject_reasons=[{"code": one.code, "text": one.text} for one in reasons("reject")],
            area=area_words,
            **(_opened(db, opened, listed) if opened else {"finding": None}),
        )
    nothing_done = told is not None and not told.done
    return make_response(page, refused.status if refused else 409 if nothing_done else 200)


def _told(told: several.Told) -> dict[str, Any]:
    """What became of several findings, in words."""
    count, lang = len(told.done), current_language()
    said = {
        several.TAKE: ngettext("%(num)d finding is yours", "%(num)d findings are yours", count),
        several.REJECT: ngettext("%(num)d finding is rejected", "%(num)d findings are rejected", count),
    }[told.decision]
    refused = {one: [refusal.render(lang) for refusal in found] for one, found in told.refused.items()}
    return {"said": said if count else "", "refused": refused}


def _wanted() -> queries.Wanted:
    asked = _filters()
    after = request.args.get("after") or None
    return queries.Wanted(asked.get("kind"), asked.get("sensor"), mine=bool(asked.get("mine")), after=after)


def _opened(db: Session, public_id: str, listed: list[Row]) -> dict[str, Any]:
    """What the page says of the finding that is open."""
    house, actor = services(), current_actor()
    found, row = queries.finding(db, actor, public_id, house.rulebook), queries.row_of(db, actor, public_id)
    decider = db.get(Person, row.decided_by) if row.decided_by else None
    may_decide = queries.qualified(db, actor, today())
    held_back = _held_back(db, found)
    around = nearby(db, actor, public_id, today())
    return {
        "finding": found,
        "sides": _sides(found),
        "outline": pictures.outline(found),
        "size": pictures.SIZE_PX,
        # Of readings there is no picture to draw.
        "config": {"area": found.area_m2, "alternatives": [], "nearby": []}
        if found.reading
        else stage.config(db, house.data_dir, found, row, may_decide=may_decide)
        | {"action": f"/review/{public_id}{_kept()}", "nearby": surroundings.entries(around, _kept())},
        "combinations": stage.combination_words(),
        "held_back": held_back.render(current_language()) if held_back else [],
        "due": next((one for one in listed if one.public_id == public_id), None),
        "place": [in_words(sentence) for sentence in row.risk_trace] if row.state in OPEN_STATES else [],
        "next": _next(public_id, listed),
        "family": family(db, row),
        "reason": in_languages(found.reason, found.reason) if found.reason else None,
        "decided_by": {"en": decider.name_en, "zh": decider.name_zh} if decider else None,
        "reasons": _reasons(),
    }


def _held_back(db: Session, found: Finding) -> RuleViolation | None:
    """Why the images may not be shown now; None while they may."""
    try:
        for side in (found.before, found.after):
            if side is not None:
                queries.side_of(db, found, side.name, services().clock.now())
    except RuleViolation as refused:
        return refused
    return None


def _next(public_id: str, listed: list[Row]) -> str:
    """The finding after this one in the queue, or the first one that is another."""
    ids = [row.public_id for row in listed]
    after = ids[ids.index(public_id) + 1 :] if public_id in ids else ids
    return next((one for one in (*after, *ids) if one != public_id), "")


def _reasons() -> list[dict[str, Any]]:
    """The reasons of the list that a verdict may have, each with the verdicts that it goes with."""
    known = {one.code: one for verdict in deciding.VERDICTS for one in reasons(verdict)}
    last = known.pop("other")
    return [
        {"code": one.code, "text": one.text, "decisions": sorted(one.decisions & deciding.VERDICTS.keys())}
        for one in (*known.values(), last)
    ]


def _done(db: Session, actor: Actor) -> dict[str, Any]:
    """What was recorded last, as the address says, and the actor's last decision while it may be taken back."""
    done = _row(db, actor, request.args.get("done", ""))
    if done is not None:
        own_one = done.decided_by == actor.person_id and done.state in UNDOABLE_STATES
        return {"done": done, "undoable": done if own_one else None}
    own = select(Detection).where(
        Detection.decided_by == actor.person_id,
        Detection.decided_at > services().clock.now() - _UNDO_OFFERED,
        Detection.state.in_(UNDOABLE_STATES),
    )
    last = db.scalars(own.order_by(Detection.decided_at.desc()).limit(1)).first()
    return {"done": None, "undoable": last}


def _headline(waiting: list[Row], total: int) -> str:
    if not waiting:
        return gettext("No finding waits for a decision")
    late = sum(row.late for row in waiting)
    head = ngettext(
        "%(num)d possible finding waits for a decision", "%(num)d possible findings wait for a decision", total
    )
    if total > len(waiting):
        return gettext("%(head)s; the first %(num)s are listed", head=head, num=len(waiting))
    if not late:
        return head
    return gettext("%(head)s; %(late)s", head=head, late=ngettext("%(num)d is late", "%(num)d are late", late))


def _sides(found: Finding) -> list[dict[str, Any]]:
    """The images there are: before and after, or the one that exists."""
    what = words.finding(found.kind)
    sides = [
        (found.before, gettext("Before"), gettext("%(what)s, before", what=what)),
        (found.after, gettext("After"), gettext("%(what)s, after", what=what)),
    ]
    return [
        {
            "name": side.name,
            "url": f"/review/{found.public_id}/{side.name}.png",
            "label": label if found.before else gettext("Taken"),
            "alt": alt,
            "taken": side.taken,
            "sensor": side.sensor,
            "gsd": f"{side.gsd_m:.2g} m" if side.gsd_m else "",
            "compared": side.compared,
        }
        for side, label, alt in sides
        if side is not None
    ]
