"""Devices at the planner's desk: registered at a granted site or from a file, and made anew after a failed review."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from shapely.geometry import Point
from sqlalchemy import select

from geo import commands
from geo.commands import NewDevice, Revision
from geo.commands.words import DEVICE_TYPES, PLATFORMS
from geo.intake import Options, Report, import_layer
from schemas.refusals import RuleViolation, refuse
from schemas.store.work import Work
from schemas.tables import Device, PlannedSite, SitingPlan
from web.attachments import MOST_BYTES
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner import answers, dossier, scope, sites, surroundings
from web.planner.forms import Faults, Form, faults_of
from web.planner.show import show
from web.planner.words import PLACE_TYPES

section = Section("planner_devices", __name__, Audience.PLANNER)

_DRAFT = Permission.DRAFT_PLACES
_TEXTS = ("name", "place_text", "purpose_en", "purpose_zh")
_PAPERS = ("model", "serial_no", "quality_certificate_no")


@section.page("/planner/devices/new", GET=_DRAFT, POST=_DRAFT)
def new() -> Response:
    """A new device; `site` names the granted site of a plan at which it stands."""
    form = Form(request.form)
    if request.method == "GET":
        return _new_page(form)
    try:
        public_id = answers.do(lambda work: _registered(work, form).public_id)
    except RuleViolation as error:
        return _new_page(form, answers.refused(error, form.faults), error.status)
    return answers.go(f"/planner/devices/{public_id}", "device-new")


def _registered(work: Work, form: Form) -> Device:
    own = scope.authorities(work.session, work.actor, _DRAFT)
    form.choice("authority", [one.code for one in own])
    authority = scope.authority_of(own, form.raw("authority"))
    planned = _planned(work, form.raw("planned_site"))
    common, place = _read(form), form.point()
    calibrated = form.day("calibration_valid_to")
    form.faults.refuse()
    assert authority is not None
    assert place is not None
    new = NewDevice(
        **common,
        place=place,
        authority=authority,
        item=scope.item_of(work.session, form.raw("item")),
        planned_site=planned,
        siting_plan=None if planned else _plan(work, form.raw("siting_plan")),
        is_measuring_instrument=form.raw("measures") == "yes",
        calibration_valid_to=calibrated,
    )
    return commands.register_device(work, new)


def _read(form: Form) -> dict[str, Any]:
    """What a new device and a new version of one have in common."""
    texts = {name: form.text(name) for name in _TEXTS}
    papers = {name: form.text(name, required=False) or None for name in _PAPERS}
    view = sites.view_of(form, "", texts["name"])
    words = {
        "device_type": form.choice("device_type", DEVICE_TYPES),
        "platform": form.choice("platform", PLATFORMS),
        "place_type": form.choice("place_type", PLACE_TYPES),
    }
    seen = dict(zip(("sector_azimuth_deg", "hfov_deg", "range_m"), view, strict=True))
    return {**texts, **papers, **words, **seen, "indoor": form.raw("indoor") == "yes"}


def _planned(work: Work, public_id: str) -> PlannedSite | None:
    found = work.session.scalars(select(PlannedSite).where(PlannedSite.public_id == public_id)).first()
    if found is not None:
        scope.opened(work.session, work.actor, _DRAFT, SitingPlan, found.plan.public_id)
    return found


def _plan(work: Work, public_id: str) -> SitingPlan | None:
    return scope.opened(work.session, work.actor, _DRAFT, SitingPlan, public_id) if public_id else None


def _new_page(form: Form, faults: Faults | None = None, status: int = 200) -> Response:
    actor = current_actor()
    with answers.reading() as work:
        planned = _planned(work, form.raw("planned_site") or request.args.get("site", "")[:40])
        own = scope.authorities(work.session, actor, _DRAFT)
        context = {
            "authorities": own,
            "items": scope.items(work.session),
            "plans": scope.approved_plans(work.session, [one.id for one in own]),
            "typed": form.given or _typed_of(planned),
            "planned": planned,
            "plan": planned.plan.public_id if planned else "",
        }
    config = surroundings.base_map() | {"draw": "point", "places": (faults or Faults()).places()}
    return show("planner/device_new.html", status, faults=faults or Faults(), config=config, **context)


def _typed_of(planned: PlannedSite | None) -> dict[str, str]:
    """What a granted site says already."""
    if planned is None:
        return {}
    site = sites.typed_of(dossier.planned(planned), "1")
    return site | {"authority": planned.plan.authority.code, "planned_site": planned.public_id}


# -- from a file ---------------------------------------------------------------------------------------------


@section.page("/planner/devices/import", GET=_DRAFT, POST=_DRAFT, max_body_bytes=MOST_BYTES)
def from_file() -> Response:
    """Devices of a file: all of them or none, with a report of every row."""
    form = Form(request.form)
    if request.method == "GET":
        return _import_page(form)
    try:
        report = answers.do_where(lambda work: _imported(work, form), lambda made: made.batch is not None)
    except RuleViolation as error:
        answers.refused(error)  # programs and what is not there
        return _import_page(form, None, form.faults or faults_of(error, "file"), error.status)
    faults = Faults()
    if report.before is not None:
        for note in report.notes:
            faults.add(note, "file")
    elif report.batch is None:
        refused, read = report.refused, len(report.rows)
        faults.add(refuse("form.field", "planner.rows_refused", refused=refused, rows=read), "file")
    return _import_page(form, report, faults, 422 if faults else 200)


def _imported(work: Work, form: Form) -> Report:
    options = Options(
        layer="devices",
        crs=form.raw("crs") or None,
        encoding=form.raw("encoding") or None,
        authority=form.raw("authority") or None,
        item=form.raw("item") or None,
    )
    with answers.layer_upload() as path:
        return import_layer(work, path, options)


def _import_page(form: Form, report: Report | None = None, faults: Faults | None = None, status: int = 200) -> Response:
    with services().session() as db:
        return show(
            "planner/device_import.html",
            status,
            typed=form.given,
            report=report,
            faults=faults or Faults(),
            authorities=scope.authorities(db, current_actor(), _DRAFT),
            items=scope.items(db),
        )


# -- one device ------------------------------------------------------------------------------------------------


@section.page("/planner/devices/<public_id>", GET=_DRAFT, POST=_DRAFT)
def device(public_id: str) -> Response:
    """One device: what both reviewers say of it, what is missing still, and its next version."""
    if request.method == "GET":
        return _page(public_id, Form(request.form))
    form = Form(request.form)
    try:
        answers.do(lambda work: _revised(work, public_id, form))
    except RuleViolation as error:
        return _page(public_id, form, answers.refused(error, form.faults), error.status)
    return answers.go(f"/planner/devices/{public_id}", f"device-{public_id}")


def _revised(work: Work, public_id: str, form: Form) -> None:
    found = scope.opened(work.session, work.actor, _DRAFT, Device, public_id)
    common, place, reason = _read(form), form.point(), form.text("reason")
    item = scope.item_of(work.session, form.raw("item"))
    planned = _planned(work, form.raw("planned_site"))
    form.faults.refuse()
    assert place is not None
    stands = {name: common.pop(name) for name in ("place_text", "place_type")}
    common.pop("indoor")
    change = Revision(
        reason=reason,
        place=_moved(found, place, stands),
        **stands,
        planned_site=planned,
        siting_plan=None if planned else _plan(work, form.raw("siting_plan")),
        fields=common | {"item_id": item.id if item else None},
    )
    commands.revise_device(work, found, change, seen_version=answers.seen_version())


def _moved(found: Device, place: Point, stands: dict[str, str]) -> Point | None:
    """The place, where the device is to stand elsewhere or its place is told otherwise; else None."""
    site = found.site
    at = dossier.point_of(site)
    same = round(at.lon, 6) == round(place.x, 6) and round(at.lat, 6) == round(place.y, 6)
    told = (site.place_text, site.place_type) == (stands["place_text"], stands["place_type"])
    return None if same and told else place


def _page(public_id: str, form: Form, faults: Faults | None = None, status: int = 200) -> Response:
    actor = current_actor()
    with answers.reading() as work:
        found = scope.opened(work.session, actor, _DRAFT, Device, public_id)
        file = dossier.device_file(work.session, found)
        table = work.machine.tables["device"]
        step = table.find("review", found.state)
        missing = Faults()
        for refusal in work.check(found, step.guards) if step else []:
            missing.add(refusal)
        own = scope.authorities(work.session, actor, _DRAFT)
        context = {
            "file": file,
            "missing": missing,
            "typed": form.given or _typed_from(file, found),
            "items": scope.items(work.session),
            "plans": scope.approved_plans(work.session, [one.id for one in own]),
            "may_revise": table.find("revise", found.state) is not None,
        }
        shown = surroundings.around(
            work.session, dossier.places_of([file.site]), [found.device_type], apart_from=found.public_id
        )
    places = (faults or missing).places()
    config = surroundings.base_map() | shown | {"draw": "point", "places": places}
    return show("planner/device.html", status, faults=faults or Faults(), config=config, **context)


def _typed_from(file: dossier.DeviceFile, found: Device) -> dict[str, str]:
    typed = sites.typed_of(file.site, "1")
    return typed | {
        "name": file.name,
        "item": found.item.code if found.item else "",
        "siting_plan": file.plan or "",
        "model": file.model or "",
        "serial_no": file.serial_no or "",
        "quality_certificate_no": file.certificate_no or "",
    }
