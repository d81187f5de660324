"""The planner's desk: what is on its way to approval, in which state, and who goes on."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Response, make_response, request, send_file
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.actors import Actor
from schemas.refusals import not_found
from schemas.tables import Attachment, Device, DeviceReview, PlannedSite, SitingPlan
from web.attachments import kept
from web.i18n import gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner import queries, scope
from web.planner.queries import ALL, OPEN, PAGE, Row, Wanted
from web.planner.show import show
from web.planner.words import KINDS, STATES
from web.registry.steps import unreadable

section = Section("planner", __name__, Audience.PLANNER)

SHOWN_STATES = (
    *("draft", "justified", "in_review", "submitted", "returned", "approved"),
    *("registered", "reviewed", "checked", "rejected", "revoked"),
)

MOST_PAGES = 10_000
_KNOWN = {"kind": tuple(KINDS), "state": (OPEN, ALL, *SHOWN_STATES), "mine": ("1",)}


@section.page("/planner", GET=Permission.DRAFT_PLACES)
def desk() -> Response:
    """The list, with its filters in the address."""
    actor, wanted = current_actor(), _wanted()
    with services().session() as db:
        own = [one.id for one in scope.authorities(db, actor, Permission.DRAFT_PLACES)]
        rows = queries.rows(db, own, actor.person_id, wanted)
        waits = _waits(db, actor)
    return show(
        "planner/desk.html",
        rows=rows[:PAGE],
        wanted=wanted,
        is_sifted=bool(_filters()),
        behind=_url(wanted.page + 1) if len(rows) > PAGE else "",
        before=_url(wanted.page - 1) if wanted.page > 1 else "",
        kinds=KINDS,
        states={code: STATES[code] for code in SHOWN_STATES},
        headline=ngettext("%(num)d draft waits for you", "%(num)d drafts wait for you", len(waits))
        if waits
        else gettext("No draft waits for you"),
        first=waits[0] if waits else None,
    )


def _waits(db: Session, actor: Actor) -> list[Row]:
    own = [one.id for one in scope.authorities(db, actor, Permission.DRAFT_PLACES)]
    rows = queries.rows(db, own, actor.person_id, Wanted(mine=True), most=queries.MOST_WAITING)
    return [row for row in rows if row.waits]


def _filters() -> dict[str, str]:
    return {name: value[:20] for name in ("kind", "state", "mine") if (value := request.args.get(name, ""))}


def _wanted() -> Wanted:
    said = _filters()
    for name, known in _KNOWN.items():
        if name in said and said[name] not in known:
            raise unreadable(name, said[name], ", ".join(known))
    page = request.args.get("page", "1")
    if not (page.isascii() and page.isdigit() and 0 < int(page[:6]) < MOST_PAGES):
        raise unreadable("page", page, f"1-{MOST_PAGES - 1}")
    return Wanted(
        kind=said.get("kind", ""), state=said.get("state", OPEN), mine=said.get("mine") == "1", page=int(page[:6])
    )


def _url(page: int) -> str:
    return f"/planner?{urlencode(_filters() | {'page': str(page)})}"


@section.page("/planner/attachments/<public_id>", GET=Permission.DRAFT_PLACES)
def attachment(public_id: str) -> Response:
    """A file of a plan or of a review, for those who may open what it is of."""
    return attached(public_id, Permission.DRAFT_PLACES)


def attached(public_id: str, permission: Permission) -> Response:
    """The file itself; raises RuleViolation 404 for a file of something that the reader may not open."""
    with services().session() as db:
        row = db.scalars(select(Attachment).where(Attachment.public_id == public_id)).first()
        authority_id = _owner(db, row) if row else None
        if row is None or authority_id not in {one.id for one in scope.authorities(db, current_actor(), permission)}:
            raise not_found("store.unknown", "web.object_unknown", measured=public_id[:40])
    response = make_response(
        send_file(kept(services(), row.sha256), row.media_type, as_attachment=True, download_name=row.file_name)
    )
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _owner(db: Session, row: Attachment) -> object:
    """The authority of what a file proves something about; None for what is not read at these desks."""
    if row.subject_kind == "device_review":
        review = db.get_one(DeviceReview, row.subject_id)
        if review.planned_site_id:
            return db.get_one(PlannedSite, review.planned_site_id).plan.authority_id
        return db.get_one(Device, review.device_id).authority_id
    if row.subject_kind == "siting_plan":
        return db.get_one(SitingPlan, row.subject_id).authority_id
    return None
