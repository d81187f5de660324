"""The page of one device: its life, its papers, what may be done now, and everything that stands against it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Response, make_response, redirect, render_template, request, send_file
from geoalchemy2.shape import to_shape
from shapely.geometry import mapping
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo import due as dues
from geo import notices, shapes
from geo.evaluating import Evidence, digest, evidence_of, words_of
from geo.footprint import sector
from schemas.refusals import RuleViolation, not_found
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import (
    Attachment,
    Authority,
    Calibration,
    Device,
    DeviceReview,
    DeviceShare,
    Drone,
    Evaluation,
    Incident,
    PlannedSite,
    Signage,
    SitingPlan,
    Upkeep,
)
from web.attachments import MOST_BYTES, kept
from web.errors import wants_page
from web.i18n import current_language, days_left, gettext, weekday
from web.identity.request_identity import current_actor, services
from web.page import today
from web.permissions import Audience, Permission, Section, may
from web.public.database import public_connection
from web.public.overview import desk_map
from web.registry import doing, life, sharing, words
from web.registry.reach import device_of
from web.registry.steps import typed

section = Section("registry_device", __name__, Audience.REGISTRY)

PAPERS = (Signage, Calibration, Evaluation, Upkeep, DeviceReview)
NEAR_DEG = 0.004
# Nothing that is due lies further ahead than the longest interval of any pack.
FAR_AHEAD_DAYS = 3_660


@section.page(
    "/registry/device/<public_id>",
    max_body_bytes=MOST_BYTES,
    GET=Permission.READ_REGISTRY,
    POST=Permission.ACT_ON_DEVICE,
)
def device(public_id: str) -> Response:
    """One device: what is so, what waits, what may be done, and all that was."""
    if request.method == "GET":
        return _page(public_id)
    step = request.form.get("step", "")
    try:
        with services().work(current_actor()) as work:
            doing.do(work, device_of(work.session, current_actor(), public_id), step)
            work.commit()
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _page(public_id, refused, step)
    return make_response(redirect(f"/registry/device/{public_id}?done={step}", 303))


@section.page("/registry/device/<public_id>/file/<sha256>", GET=Permission.READ_REGISTRY)
def attachment(public_id: str, sha256: str) -> Response:
    """A photo or a paper of the device, as it was taken in."""
    house = services()
    with house.session() as db:
        found = next(
            (one for one in _attachments(db, device_of(db, current_actor(), public_id)) if one.sha256 == sha256), None
        )
    if found is None:
        raise not_found("record.unknown", "registry.unknown", measured=sha256[:40])
    response = send_file(kept(house, sha256), mimetype=found.media_type, download_name=found.file_name, max_age=0)
    response.headers["Cache-Control"] = "private, no-cache"
    # Whatever the file holds, it runs nothing and reaches nothing here.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response


def _attachments(db: Session, device: Device) -> list[Attachment]:
    papers = [db.scalars(select(kind.id).where(kind.device_id == device.id)).all() for kind in PAPERS]
    ids = [one for some in papers for one in some]
    return list(db.scalars(select(Attachment).where(Attachment.subject_id.in_(ids)).order_by(Attachment.recorded_at)))


def _page(public_id: str, refused: RuleViolation | None = None, step: str = "") -> Response:
    actor = current_actor()
    with public_connection() as public:
        config = desk_map(public)
    with services().work(actor) as work:
        db = work.session
        found = device_of(db, actor, public_id)
        files = _files(db, found)
        acts = may(actor, Permission.ACT_ON_DEVICE)
        told, reason = _told(work, found), life.reason_now(db, found)
        adds = doing.papers_of(work, found) if acts else []
        page = render_template(
            "registry/device.html",
            device=found,
            headline=_headline(found, told, reason),
            reason=reason,
            told=told,
            moments=life.life(db, found, files),
            papers=_papers(db, found, files),
            steps=doing.steps_of(work, found) if acts else [],
            adds=adds,
            # What is on record stands beside the form of whoever evaluates (GD-10.1).
            evidence_then=_evidence_then(work, found),
            evidence=_evidence(work, found) if any(step.name == "evaluation" for step in adds) else {},
            shares=_shares(db, found),
            uses=sharing.uses_of(work, found),
            use_states=sharing.STATES,
            # The data administrator reads quality, not technical data (requirements.md 5.4).
            technical=any(role is not Role.DATA_ADMIN for role in actor.roles),
            drone=db.get(Drone, found.id),
            config=config | _map(found, with_view=actor.roles != {Role.DATA_ADMIN}),
            refusals=refused.render(current_language()) if refused else [],
            tried=step,
            typed=typed() if refused else {},
            says=words,
        )
    return make_response(page, refused.status if refused else 200)


def _files(db: Session, device: Device) -> dict[Any, tuple[tuple[str, str, str], ...]]:
    """The files of each paper: address, name and type."""
    found: dict[uuid.UUID, list[tuple[str, str, str]]] = {}
    for one in _attachments(db, device):
        address = f"/registry/device/{device.public_id}/file/{one.sha256}"
        found.setdefault(one.subject_id, []).append((address, one.file_name, one.media_type))
    return {paper: tuple(files) for paper, files in found.items()}


@dataclass(frozen=True)
class Told:
    """What stands at the top of the page: the notice, what is due, and where it stands in a plan."""

    earliest: date | None
    dues: tuple[dues.Due, ...]
    plan: SitingPlan | None
    planned: PlannedSite | None
    reviews: tuple[DeviceReview, ...]


def _told(work: Work, device: Device) -> Told:
    db, pack = work.session, work.pack_for(device)
    site = device.site
    on = pack.local_date(work.now)
    every = dues.due(db, device.authority_id, pack, on, days=FAR_AHEAD_DAYS, device_id=device.id)
    reviews = select(DeviceReview).where(
        DeviceReview.device_id == device.id, DeviceReview.device_version == device.device_version
    )
    return Told(
        earliest=notices.current(db, device, pack).earliest,
        dues=tuple(every),
        plan=db.get(SitingPlan, site.siting_plan_id) if site.siting_plan_id else None,
        planned=db.get(PlannedSite, site.planned_site_id) if site.planned_site_id else None,
        reviews=tuple(db.scalars(reviews.order_by(DeviceReview.kind, DeviceReview.reviewed_on))),
    )


def _evidence(work: Work, device: Device) -> dict[str, list[Mapping[str, str]]]:
    """What the record says of a device, by the outcome of an evaluation that it speaks for; "" where it is none."""
    pack = work.pack_for(device)
    found: dict[str, list[Mapping[str, str]]] = {}
    for word in words_of(evidence_of(work.session, device, pack, work.now), pack):
        found.setdefault(word.speaks_for or "", []).append(word.said)
    return found


def _evidence_then(work: Work, device: Device) -> dict[uuid.UUID, tuple[list[Mapping[str, str]], str]]:
    """What was on record when each evaluation was decided, in words, and its digest as the ledger names it."""
    pack = work.pack_for(device)
    made = work.session.scalars(select(Evaluation).where(Evaluation.device_id == device.id))
    return {
        row.id: ([word.said for word in words_of(Evidence.of_json(row.evidence), pack)], digest(row.evidence))
        for row in made
        if row.evidence is not None
    }


def _headline(device: Device, told: Told, reason: str) -> str:
    """The answer first: what is so, and until when or from when."""
    name, late = device.name, [one for one in told.dues if one.overdue]
    if device.state == "blocked":
        return gettext("%(name)s is stopped: %(why)s", name=name, why=reason or "—")
    if device.state == "published" and told.earliest is not None:
        if told.earliest <= today():
            return gettext(
                "%(name)s may be used since %(day)s; the unit head puts it into use", name=name, day=told.earliest
            )
        left = days_left(told.earliest, today())
        return gettext("%(name)s may be used from %(day)s, %(left)s", name=name, day=weekday(told.earliest), left=left)
    if device.state == "maintenance" and device.pause_ends_on is not None:
        ends = weekday(device.pause_ends_on)
        return gettext("%(name)s is paused for maintenance until %(day)s", name=name, day=ends)
    if late:
        what = words.told(words.DUE, late[0].what)
        return gettext("%(name)s: %(what)s was due on %(day)s", name=name, what=what, day=weekday(late[0].due_on))
    if device.state == "active":
        return gettext("%(name)s is in use", name=name)
    return gettext("%(name)s: %(state)s", name=name, state=words.state(device.state))


@dataclass(frozen=True)
class Papers:
    """The papers of a device by kind, the latest first, each with its files."""

    signs: tuple[tuple[Signage, Any], ...]
    calibrations: tuple[tuple[Calibration, Any], ...]
    upkeep: tuple[tuple[Upkeep, Any], ...]
    evaluations: tuple[tuple[Evaluation, Any], ...]
    incidents: tuple[Incident, ...]


def _papers(db: Session, device: Device, files: Mapping[Any, Any]) -> Papers:
    def of(kind: Any, day: Any) -> Any:  # noqa: ANN401 - a table, a column, rows with their files
        rows = db.scalars(select(kind).where(kind.device_id == device.id).order_by(day.desc(), kind.recorded_at.desc()))
        return tuple((row, files.get(row.id, ())) for row in rows)

    return Papers(
        signs=of(Signage, Signage.verified_on),
        calibrations=of(Calibration, Calibration.tested_on),
        upkeep=of(Upkeep, Upkeep.done_on),
        evaluations=of(Evaluation, Evaluation.evaluated_on),
        incidents=tuple(row for row, _ in of(Incident, Incident.observed_at)),
    )


def _shares(db: Session, device: Device) -> list[tuple[dict[str, str], str]]:
    wanted = (
        select(Authority.name_en, Authority.name_zh, DeviceShare.name)
        .join(Authority, Authority.id == DeviceShare.authority_id)
        .where(DeviceShare.device_id == device.id)
        .order_by(Authority.code)
    )
    return [({"en": en, "zh": zh}, name) for en, zh, name in db.execute(wanted)]


def _map(device: Device, *, with_view: bool) -> dict[str, Any]:
    """The device on the map of the desk, with what it looks at; a view is never on a public page."""
    at = shapes.lon_lat(device.site.geom)
    about = {
        "public_id": device.public_id,
        "name": device.name,
        "kind": device.device_type if device.platform == "fixed" else "drone",
        "look": words.look(device.state),
    }
    features = [{"type": "Feature", "id": 0, "geometry": mapping(to_shape(device.site.geom)), "properties": about}]
    azimuth, hfov, reach = device.sector_azimuth_deg, device.hfov_deg, device.range_m
    if with_view and azimuth is not None and hfov is not None and reach is not None:
        view = mapping(sector(at, azimuth, hfov, reach))
        features.append({"type": "Feature", "id": 1, "geometry": view, "properties": {"part": "view"}})
    bounds = [at.lon - NEAR_DEG, at.lat - NEAR_DEG, at.lon + NEAR_DEG, at.lat + NEAR_DEG]
    return {"bounds": bounds, "places": {"type": "FeatureCollection", "features": features}}
