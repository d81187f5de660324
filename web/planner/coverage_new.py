"""A new study of coverage: cameras from a file or from the registry, ground from a file, drawn, or the own district."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import shapely
from flask import Response, make_response, request
from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry

from flights.ground import TERRAIN_FILE
from geo.commands import studies
from geo.commands.studies import NewDevice, NewStudy
from geo.coverage.asked import HIGHEST_BUILDING_M, KINDS, MOST_DAYS, WIDEST_IMAGE_PX, Asked
from geo.coverage.footprints import DENSITIES_PX_PER_M as DENSITIES
from geo.coverage.reading import Named, read_area, read_named
from geo.intake import Options
from geo.intake.drafts import Read
from schemas.limits import limit
from schemas.refusals import RuleViolation, invalid, refuse
from schemas.store.work import Work
from schemas.tables import Authority
from web.attachments import MOST_BYTES
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner import answers, scope, surroundings
from web.planner import coverage_words as said_of
from web.planner.coverage import show_coverage
from web.planner.forms import Faults, Form, faults_of

section = Section("planner_coverage_new", __name__, Audience.PLANNER)

_DRAFT = Permission.DRAFT_PLACES
GROUNDS = ("jurisdiction", "file", "drawn")
_FURTHEST_M = 1_000_000
_HOURS = tuple(f"{number:02d}" for number in range(24))
# What a form holds before anybody typed: the own district, with the devices that watch now or soon.
_AT_FIRST = {"ground": "jurisdiction", "status.active": "1", "status.published": "1", "demand.area": "1"}


@dataclass
class Taken:
    """What was read of the files of a form, for the page that tells it."""

    devices: Read[Named] | None = None


@section.page("/planner/coverage/new", GET=_DRAFT, POST=_DRAFT, max_body_bytes=2 * MOST_BYTES, long_form=True)
def new() -> Response:
    """Five minutes from nothing: a list of cameras and a boundary, and the gaps are on the map."""
    form = Form(request.form)
    if request.method == "GET":
        return _page(form)
    taken = Taken()
    try:
        public_id = answers.do(lambda work: _drafted(work, form, taken))
    except RuleViolation as error:
        return _page(form, taken, answers.refused(error, form.faults), error.status)
    goal = f"/planner/coverage/{public_id}"
    if request.headers.get("HX-Request"):
        # The browser goes on by itself: what was typed here is not needed any more.
        response = make_response("", 204)
        response.headers["HX-Redirect"] = f"{goal}?done=coverage-new"
        return response
    return answers.go(goal, "coverage-new")


def _drafted(work: Work, form: Form, taken: Taken) -> str:
    own = scope.authorities(work.session, work.actor, _DRAFT)
    form.choice("authority", [one.code for one in own])
    authority = scope.authority_of(own, form.raw("authority"))
    title = form.text("title", most=200)
    ground = _ground(form, authority)
    devices = _devices(form, taken)
    asked = _asked(form)
    form.faults.refuse()
    assert authority is not None
    assert ground is not None
    assert asked is not None
    new_study = NewStudy(title=title, authority=authority, ground=ground, asked=asked, devices=devices)
    return studies.draft_study(work, new_study).public_id


def _ground(form: Form, authority: Authority | None) -> BaseGeometry | None:
    """The ground that is asked about; what is wrong with it stands in the form."""
    chosen = form.choice("ground", GROUNDS)
    if chosen == "drawn":
        return form.polygon("shape")
    if chosen == "jurisdiction":
        return to_shape(authority.jurisdiction) if authority else None
    try:
        with _upload("ground_file") as path:
            return read_area(path, Options(layer="ground", crs=form.raw("ground_crs") or None))
    except RuleViolation as error:
        form.faults.take(error, "ground_file")
        return None


def _devices(form: Form, taken: Taken) -> Sequence[NewDevice]:
    """The devices of the file, where one was sent: all, or with `partly` those of the good rows."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        if form.raw("own_only") == "1":
            form.faults.add(refuse("form.field", "planner.no_file"), "file")
        return ()
    range_m = form.number("range_m", 0.1, _FURTHEST_M, required=False)
    mast_m = form.number("mast_m", 0, 1_000, required=False)
    options = Options(layer="devices", crs=form.raw("crs") or None, encoding=form.raw("encoding") or None)
    try:
        with _upload("file") as path:
            taken.devices = read_named(path, options, range_m=range_m)
    except RuleViolation as error:
        form.faults.found += faults_of(error, "file").found
        return ()
    if taken.devices.refused and (form.raw("partly") != "1" or not taken.devices.drafts):
        refused, rows = taken.devices.refused, len(taken.devices.rows)
        form.faults.add(refuse("form.field", "coverage.rows_refused", refused=refused, rows=rows), "file")
    # What the form says of heights is for lists that say nothing of them.
    told_m = None if "mast_m" in taken.devices.columns else mast_m
    return [_listed(one, number, told_m) for number, one in taken.devices.drafts.items()]


def _listed(one: Named, number: int, mast_m: float | None) -> NewDevice:
    view = one.view if mast_m is None else replace(one.view, mast_m=mast_m)
    return NewDevice(view=view, label=one.name[:200] or f"#{number}", device_type=one.device_type)


@contextmanager
def _upload(name: str) -> Iterator[Path]:
    """A file of the form in a folder of its own, under its own name; raises RuleViolation 422 where none was sent."""
    sent = request.files.get(name)
    if sent is None or not sent.filename:
        raise invalid("form.field", "planner.no_file")
    with tempfile.TemporaryDirectory(dir=services().data_dir) as folder:
        path = Path(folder, answers.safe_name(sent.filename))
        sent.save(path)
        yield path


def _asked(form: Form) -> Asked | None:
    """The question; what is wrong with it stands in the form."""
    hour = form.choice("hour", _HOURS) if form.raw("hour") else ""
    density = form.choice("density", DENSITIES) if form.raw("density") else ""
    over_terrain = form.raw("over_terrain") == "1"
    buildings_m = form.number("buildings_m", 0, HIGHEST_BUILDING_M, required=False)
    if buildings_m is not None and not over_terrain:
        form.faults.add(refuse("form.field", "coverage.buildings_flat"), "buildings_m")
    try:
        return Asked(
            statuses=_ticked(form, "status", said_of.STATUSES),
            shared=form.raw("shared") == "1",
            item=form.raw("item") or None,
            device_types=_ticked(form, "kind", KINDS),
            hour=int(hour) if hour else None,
            over_terrain=over_terrain,
            buildings_m=buildings_m,
            demand=_ticked(form, "demand", said_of.DEMANDS),
            own_only=form.raw("own_only") == "1",
            density=density or None,
            image_width_px=_whole(form, "image_width_px", WIDEST_IMAGE_PX, Asked.image_width_px),
            days=_whole(form, "days", MOST_DAYS, Asked.days),
        )
    except RuleViolation as error:
        form.faults.take(error, "status.active")
        return None


def _whole(form: Form, name: str, most: int, otherwise: int) -> int:
    value = form.number(name, 1, most, required=False)
    return otherwise if value is None else int(value)


def _ticked(form: Form, prefix: str, codes: object) -> tuple[str, ...]:
    return tuple(code for code in codes if form.raw(f"{prefix}.{code}") == "1")  # type: ignore[attr-defined]


def _page(form: Form, taken: Taken | None = None, faults: Faults | None = None, status: int = 200) -> Response:
    with services().session() as db:
        own = scope.authorities(db, current_actor(), _DRAFT)
        items = scope.items(db)
        bounds = _bounds(own)
    return show_coverage(
        "planner/coverage_new.html",
        status,
        typed=form.given if request.method == "POST" else _AT_FIRST,
        faults=faults or Faults(),
        read=taken.devices if taken else None,
        authorities=own,
        items=items,
        hours=[(code, said_of.hour(int(code))) for code in _HOURS],
        densities={code: said_of.density(code) for code in DENSITIES},
        kinds={code: said_of.kind(code) for code in KINDS},
        usual=Asked,
        has_terrain=(services().data_dir / TERRAIN_FILE).is_file(),
        most=limit("coverage.devices"),
        config=surroundings.base_map() | {"draw": "area", "places": Faults().places()} | bounds,
    )


def _bounds(own: Sequence[Authority]) -> dict[str, list[float]]:
    shapes = [to_shape(one.jurisdiction) for one in own]
    return {"bounds": list(shapely.total_bounds(shapes))} if shapes else {}
