"""The review desk: what waits, before and after, and a decision with its reason."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, redirect, render_template, request

from schemas.refusals import RuleViolation, invalid
from schemas.tables import Detection
from sensing.decisions import assign_detection, confirm_detection, leave_detection_open, reject_detection
from web import words
from web.desk import pictures, queries
from web.desk.queries import Finding, Row
from web.errors import wants_page
from web.i18n import current_language, gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.page import today
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.public.overview import desk_map

section = Section("desk", __name__, Audience.DESK)

DECISIONS = {"confirm": confirm_detection, "reject": reject_detection, "leave_open": leave_detection_open}
TAKE = "assign"
LONGEST_REASON = 500


@section.page("/review", GET=Permission.READ_DETECTIONS)
def desk() -> Response:
    """The queue, opened at what waits first."""
    return _page(None)


@section.page("/review/<public_id>", GET=Permission.READ_DETECTIONS, POST=Permission.DECIDE_DETECTION)
def finding(public_id: str) -> Response:
    """One finding, and the decision on it."""
    if request.method == "GET":
        return _page(public_id)
    decision, reason = request.form.get("decision", ""), request.form.get("reason", "").strip()
    try:
        _decide(public_id, decision, reason)
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _page(public_id, refused=refused, reason=reason[:LONGEST_REASON])
    target = f"/review/{public_id}" if decision == TAKE else f"/review?done={public_id}"
    return make_response(redirect(target, 303))


def _decide(public_id: str, decision: str, reason: str) -> None:
    if decision not in (*DECISIONS, TAKE):
        raise _unknown("decision", decision, ", ".join((*DECISIONS, TAKE)))
    if len(reason) > LONGEST_REASON:
        raise _unknown("reason", reason, f"1-{LONGEST_REASON}")
    version = request.form.get("version", "")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise _unknown("version", version, "1, 2, 3 ...")
    house, actor = services(), current_actor()
    with house.work(actor) as work:
        # Looked up among the actor's own authorities, so that an id of another one is unknown here.
        queries.row_of(work.session, actor, public_id)
        if decision == TAKE:
            assign_detection(work, public_id, actor.code)
        else:
            DECISIONS[decision](work, public_id, reason, seen=int(version))
        work.commit()


def _unknown(name: str, value: str, required: str) -> RuleViolation:
    return invalid("query.unknown", "web.query_unknown", name=name, measured=value[:40], required=required)


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


def _page(public_id: str | None, *, refused: RuleViolation | None = None, reason: str = "") -> Response:
    house, actor = services(), current_actor()
    with house.session() as db:
        waiting = queries.queue(db, actor, house.rulebook, house.clock.now())
        done = _done(db, actor)
        opened = public_id or (waiting[0].public_id if waiting else None)
        found = queries.finding(db, actor, opened) if opened else None
        page = render_template(
            "desk/review.html",
            headline=_headline(waiting, queries.waiting_count(db, actor)),
            queue=waiting,
            decided=queries.decided(db, actor, house.rulebook, house.clock.now()),
            qualified=queries.qualified(db, actor, today()),
            finding=found,
            sides=_sides(found) if found else [],
            outline=pictures.outline(found) if found else "",
            size=pictures.SIZE_PX,
            config=_config(found, waiting) if found else {},
            done=done,
            refusals=refused.render(current_language()) if refused else [],
            typed_reason=reason,
            reasons=_usual_reasons(),
            area=area_words,
        )
    return make_response(page, refused.status if refused else 200)


def _done(db: Any, actor: Any) -> Detection | None:  # noqa: ANN401
    public_id = request.args.get("done", "")
    try:
        return queries.row_of(db, actor, public_id) if public_id else None
    except RuleViolation:
        return None


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
            "url": f"/review/{found.public_id}/{side.name}.png",
            "label": label if found.before else gettext("Taken"),
            "alt": alt,
            "taken": side.taken,
            "sensor": side.sensor,
            "gsd": f"{side.gsd_m:.2g} m" if side.gsd_m else "",
        }
        for side, label, alt in sides
        if side is not None
    ]


def _config(found: Finding, waiting: list[Row]) -> dict[str, Any]:
    with public_connection() as public:
        config = desk_map(public)
    shapes = {"finding": found.shape, "track": found.track}
    features = {
        name: [{"type": "Feature", "geometry": shape, "properties": {}}] if shape else []
        for name, shape in shapes.items()
    }
    return config | features | {"bounds": found.bounds}


def _usual_reasons() -> list[str]:
    return [
        gettext("Clearly visible in both images"),
        gettext("Covered by a permit"),
        gettext("Ploughed field or harvest"),
        gettext("Shadow or cloud"),
        gettext("Greenhouse or film cover"),
        gettext("Image too unclear; fly again"),
    ]


def area_words(area_m2: float) -> str:
    """An area as people say it: square metres, or hectares from one hectare on."""
    if area_m2 >= 10_000:
        return gettext("%(n)s ha", n=f"{area_m2 / 10_000:.1f}")
    return gettext("%(n)s m²", n=f"{round(area_m2):,}")
