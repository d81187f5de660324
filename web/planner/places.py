"""Patrol areas and deployment points at the planner's desk: drafted on the map or from a file, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from geoalchemy2.shape import to_shape
from shapely.geometry import Point, Polygon
from sqlalchemy.orm import Session

from geo import commands
from geo.commands import NewArea, NewPoint, Redraft
from geo.intake import Options
from geo.intake.drafts import Read
from geo.intake.places import Common, Fields, draft_places, read_places
from schemas.limits import limit
from schemas.refusals import RuleViolation, refuse
from schemas.store.work import Work
from schemas.tables import DeploymentPoint, PatrolArea, Person, SitingPlan, SupervisionItem
from web.attachments import MOST_BYTES
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner import answers, scope, surroundings
from web.planner.forms import Faults, Form, faults_of
from web.planner.history import Event, history, last_reason
from web.planner.show import show

section = Section("planner_places", __name__, Audience.PLANNER)

_DRAFT = Permission.DRAFT_PLACES
KINDS: Mapping[str, type[PatrolArea] | type[DeploymentPoint]] = {"areas": PatrolArea, "points": DeploymentPoint}
_ONE = {"areas": "area", "points": "point"}
_TEXTS = ("name_en", "name_zh", "purpose_en", "purpose_zh")
_HIGHEST_M = 1_000


@dataclass(frozen=True)
class PlaceFile:
    """An area or a point as everybody who has a part in it reads it."""

    kind: str
    public_id: str
    code: str
    name: Mapping[str, str]
    purpose: Mapping[str, str]
    state: str
    version: int
    authority: Mapping[str, str]
    item: Mapping[str, str] | None
    author: Mapping[str, str] | None
    plan: str | None
    corners: str
    heights: tuple[float, float] | None
    place_text: str
    events: tuple[Event, ...]
    returned: Event | None


def place_file(db: Session, kind: str, found: PatrolArea | DeploymentPoint) -> PlaceFile:
    """The file of an area or a point; `kind` is `area` or `point`."""
    events = history(db, found)
    author = db.get(Person, found.author_id) if found.author_id else None
    item = db.get(SupervisionItem, found.item_id) if found.item_id else None
    plan = db.get(SitingPlan, found.siting_plan_id) if found.siting_plan_id else None
    return PlaceFile(
        kind=kind,
        public_id=found.public_id,
        code=found.code,
        name={"en": found.name_en, "zh": found.name_zh},
        purpose={"en": found.purpose_en, "zh": found.purpose_zh},
        state=found.state,
        version=found.version,
        authority={"en": found.authority.name_en, "zh": found.authority.name_zh},
        item={"en": item.name_en, "zh": item.name_zh} if item else None,
        author={"en": author.name_en, "zh": author.name_zh} if author else None,
        plan=plan.public_id if plan else None,
        corners=corners(to_shape(found.geom)),
        heights=(found.alt_min_agl_m, found.alt_max_agl_m) if isinstance(found, PatrolArea) else None,
        place_text=found.place_text if isinstance(found, DeploymentPoint) else "",
        events=tuple(events),
        returned=last_reason(events, ("return",)) if found.state == "draft" else None,
    )


def corners(shape: Any) -> str:  # noqa: ANN401
    """A shape as it would be typed: one corner to a line, an empty line before a hole."""
    if isinstance(shape, Point):
        return f"{shape.x:.6f}, {shape.y:.6f}"
    runs = [shape.exterior, *shape.interiors]
    return "\n\n".join("\n".join(f"{x:.6f}, {y:.6f}" for x, y, *_ in ring.coords[:-1]) for ring in runs)


@section.page("/planner/<any(areas, points):kind>/new", GET=_DRAFT, POST=_DRAFT, long_form=True)
def new(kind: str) -> Response:
    """A new area or point."""
    form = Form(request.form)
    if request.method == "GET":
        return _form_page(kind, form)
    try:
        public_id = answers.do(lambda work: _drafted(work, kind, form).public_id)
    except RuleViolation as error:
        return _form_page(kind, form, answers.refused(error, form.faults), error.status)
    return answers.go(f"/planner/{kind}/{public_id}", f"{kind}-new")


def _drafted(work: Work, kind: str, form: Form) -> PatrolArea | DeploymentPoint:
    own = scope.authorities(work.session, work.actor, _DRAFT)
    form.choice("authority", [one.code for one in own])
    authority, code = scope.authority_of(own, form.raw("authority")), form.text("code", most=40)
    read = _read(work, kind, form)
    form.faults.refuse()
    assert authority is not None
    told: dict[str, Any] = {"code": code, "authority": authority, "item": read.item}
    told["siting_plan"] = read.siting_plan
    told |= {name: getattr(read, name) for name in _TEXTS}
    if isinstance(read.geom, Point):
        return commands.draft_point(work, NewPoint(**told, place=read.geom, place_text=read.place_text))
    low, high = read.alt_min_agl_m or 0.0, read.alt_max_agl_m or 0.0
    return commands.draft_area(work, NewArea(**told, geom=read.geom, alt_min_agl_m=low, alt_max_agl_m=high))


def _read(work: Work, kind: str, form: Form) -> Redraft:
    """What the form says; its faults stand in the form, and the shape is then nowhere."""
    texts = {name: form.text(name) for name in _TEXTS}
    plan_id = form.raw("siting_plan")
    plan = scope.opened(work.session, work.actor, _DRAFT, SitingPlan, plan_id) if plan_id else None
    low = high = None
    geom: Polygon | Point | None
    if kind == "areas":
        geom = form.polygon()
        low, high = form.number("alt_min_agl_m", 0, _HIGHEST_M), form.number("alt_max_agl_m", 0, _HIGHEST_M)
        if low is not None and high is not None and low >= high:
            refusal = refuse("GD-16.2", "planner.heights", measured=f"{low:g} m", required=f"{high:g} m")
            form.faults.add(refusal, "alt_min_agl_m", "alt_max_agl_m")
    else:
        geom = form.point()
    return Redraft(
        **texts,
        item=scope.item_of(work.session, form.raw("item")),
        siting_plan=plan,
        geom=geom if geom is not None else Point(),
        place_text=form.text("place_text") if kind == "points" else "",
        alt_min_agl_m=low,
        alt_max_agl_m=high,
    )


def _form_page(kind: str, form: Form, faults: Faults | None = None, status: int = 200) -> Response:
    with services().session() as db:
        own = scope.authorities(db, current_actor(), _DRAFT)
        context = {
            "authorities": own,
            "items": scope.items(db),
            "plans": scope.approved_plans(db, [one.id for one in own]),
        }
    return show(
        "planner/place_new.html",
        status,
        kind=kind,
        one=_ONE[kind],
        typed=form.given,
        faults=faults or Faults(),
        config=surroundings.base_map("patrol_areas") | {"draw": _draws(kind), "places": (faults or Faults()).places()},
        **context,
    )


def _draws(kind: str) -> str:
    return "area" if kind == "areas" else "point"


# -- from a file ---------------------------------------------------------------------------------------------


@section.page("/planner/<any(areas, points):kind>/import", GET=_DRAFT, POST=_DRAFT, max_body_bytes=MOST_BYTES)
def from_file(kind: str) -> Response:
    """Areas or points of a file: all of them, or none and a report of every row."""
    form = Form(request.form)
    if request.method == "GET":
        return _import_page(kind, form)
    read: list[Read[Fields]] = []
    try:
        answers.do(lambda work: _imported(work, kind, form, read))
    except RuleViolation as error:
        faults = answers.refused(error, form.faults)
        return _import_page(kind, form, read[-1] if read else None, faults, error.status)
    return _import_page(kind, form, read[-1])


def _imported(work: Work, kind: str, form: Form, told: list[Read[Fields]]) -> None:
    own = scope.authorities(work.session, work.actor, _DRAFT)
    form.choice("authority", [one.code for one in own])
    authority, plan_id = scope.authority_of(own, form.raw("authority")), form.raw("siting_plan")
    plan = scope.opened(work.session, work.actor, _DRAFT, SitingPlan, plan_id) if plan_id else None
    item = scope.item_of(work.session, form.raw("item"))
    try:
        told.append(_read_upload(work, kind, form))
    except RuleViolation as error:
        form.faults.found += faults_of(error, "file").found
    if told and authority is not None:
        told.append(draft_places(work, told[0], Common(authority, item, plan)))
    if told and told[-1].refused:
        refused, rows = told[-1].refused, len(told[-1].rows)
        form.faults.add(refuse("form.field", "planner.rows_refused", refused=refused, rows=rows), "file")
    form.faults.refuse()


def _read_upload(work: Work, kind: str, form: Form) -> Read[Fields]:
    options = Options(layer=kind, crs=form.raw("crs") or None, encoding=form.raw("encoding") or None)
    with answers.layer_upload() as path:
        return read_places(work, path, KINDS[kind], options)


def _import_page(
    kind: str, form: Form, read: Read[Fields] | None = None, faults: Faults | None = None, status: int = 200
) -> Response:
    with services().session() as db:
        own = scope.authorities(db, current_actor(), _DRAFT)
        return show(
            "planner/place_import.html",
            status,
            kind=kind,
            one=_ONE[kind],
            typed=form.given,
            read=read,
            is_drafted=read is not None and not faults,
            faults=faults or Faults(),
            authorities=own,
            items=scope.items(db),
            plans=scope.approved_plans(db, [one.id for one in own]),
            most=limit("patrol.drafts"),
        )


# -- one area, one point -----------------------------------------------------------------------------------------


@section.page("/planner/<any(areas, points):kind>/<public_id>", GET=_DRAFT, POST=_DRAFT, long_form=True)
def place(kind: str, public_id: str) -> Response:
    """One area or point; while it is not approved, it can be drafted anew."""
    form = Form(request.form)
    if request.method == "GET":
        return _page(kind, public_id, form)
    try:
        answers.do(lambda work: _redrafted(work, kind, public_id, form))
    except RuleViolation as error:
        return _page(kind, public_id, form, answers.refused(error, form.faults), error.status)
    return answers.go(f"/planner/{kind}/{public_id}", f"{kind}-{public_id}")


def _redrafted(work: Work, kind: str, public_id: str, form: Form) -> None:
    found = scope.opened(work.session, work.actor, _DRAFT, KINDS[kind], public_id)
    read = _read(work, kind, form)
    form.faults.refuse()
    commands.redraft(work, found, read, seen_version=answers.seen_version())


@section.page("/planner/<any(areas, points):kind>/<public_id>/check", POST=_DRAFT)
def check(kind: str, public_id: str) -> Response:
    """Checks a draft against every rule of its kind, and hands it to the unit head where it passes."""

    def step(work: Work) -> None:
        found = scope.opened(work.session, work.actor, _DRAFT, KINDS[kind], public_id)
        commands.check(work, found, seen_version=answers.seen_version())

    try:
        answers.do(step)
    except RuleViolation as error:
        return _page(kind, public_id, Form(request.form), answers.refused(error), error.status)
    return answers.go(f"/planner/{kind}/{public_id}", f"{kind}-check")


def _page(kind: str, public_id: str, form: Form, faults: Faults | None = None, status: int = 200) -> Response:
    actor = current_actor()
    with answers.reading() as work:
        found = scope.opened(work.session, actor, _DRAFT, KINDS[kind], public_id)
        file = place_file(work.session, _ONE[kind], found)
        own = scope.authorities(work.session, actor, _DRAFT)
        may_redraft = work.machine.tables[found.__machine__].find("redraft", found.state) is not None
        context = {
            "file": file,
            "items": scope.items(work.session),
            "plans": scope.approved_plans(work.session, [one.id for one in own]),
            "typed": form.given if "name_en" in form.given else _typed_of(file, found),
            "may_redraft": may_redraft,
        }
        shown = surroundings.around_shape(work.session, to_shape(found.geom))
    draws = {"draw": _draws(kind)} if may_redraft else {}
    config = surroundings.base_map("patrol_areas") | shown | draws | {"places": (faults or Faults()).places()}
    return show(
        "planner/place.html", status, kind=kind, one=_ONE[kind], faults=faults or Faults(), config=config, **context
    )


def _typed_of(file: PlaceFile, found: PatrolArea | DeploymentPoint) -> dict[str, str]:
    typed = {
        "name_en": file.name["en"],
        "name_zh": file.name["zh"],
        "purpose_en": file.purpose["en"],
        "purpose_zh": file.purpose["zh"],
        "item": found.item.code if found.item else "",
        "siting_plan": file.plan or "",
        "place_text": file.place_text,
    }
    if file.heights is None:
        lon, lat = file.corners.split(", ")
        return typed | {"lon": lon, "lat": lat}
    low, high = file.heights
    return typed | {"shape": file.corners, "alt_min_agl_m": f"{low:g}", "alt_max_agl_m": f"{high:g}"}
