"""Commands on coverage studies: drafted, changed, copied, removed. A study is a planner's own and changes no registry.

Whoever calls opens a study through `opened`: those of other authorities are not there (404), nor are those that show
secret devices to people who are not cleared for them.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.orm import Session

from geo import measure, shapes
from geo.commands.words import DEVICE_TYPES
from geo.coverage.asked import Asked
from geo.coverage.footprints import Device as View
from geo.coverage.footprints import faults_of
from geo.coverage.jobs import SILENT_S
from schemas.actors import Actor
from schemas.ids import new_id, public_id
from schemas.limits import limit
from schemas.refusals import Kind, Refusal, RuleViolation, conflict, forbidden, not_found, refuse, too_large
from schemas.roles import Role
from schemas.store.copying import Record, copy_in
from schemas.store.jobs import WAITING, WORKING
from schemas.store.work import Work
from schemas.tables import (
    Authority,
    CoverageStudy,
    Device,
    DeviceSite,
    PlannedSite,
    SitingPlan,
    StudyDevice,
    StudyShape,
    SupervisionItem,
)
from schemas.words import Coded

STUDIERS = (Role.PLANNER, Role.OFFICER)
# Who works with the registry of the whole authority is told of secret devices there; these two are not (GD-14.6).
_TOLD_OF_NONE = frozenset({Role.PLANNER, Role.DATA_ADMIN})
_LONGEST = 200
_KM2 = 1e6


@dataclass(frozen=True, kw_only=True)
class NewDevice:
    """A device that a study adds; or, with the public id of one that stands or is planned, where that is moved to.

    `device` names a registered device, or a site of a plan of the authority. `gone` takes it away: then its view is
    not looked at.
    """

    view: View
    label: str = ""
    device_type: str = "video"
    device: str | None = None
    gone: bool = False


@dataclass(frozen=True, kw_only=True)
class NewStudy:
    """A question of coverage of some ground (EPSG:4326), as a planner drafts it."""

    title: str
    authority: Authority
    ground: BaseGeometry
    asked: Asked = field(default_factory=Asked)
    devices: Sequence[NewDevice] = ()


def draft_study(work: Work, new: NewStudy) -> CoverageStudy:
    """Keeps a question; a worker computes its answer. Raises RuleViolation with every fault that it has."""
    _require(work.actor, new.authority.id)
    _refuse_secret(work.actor, new.asked)
    ground, faults = _sound(new.ground)
    faults = [*_title(new.title), *faults, *_item(work.session, new.asked), *_flat(new.asked)]
    if faults:
        raise RuleViolation(Kind.INVALID, faults)
    study = CoverageStudy(
        id=new_id(),
        public_id=public_id("CS"),
        authority_id=new.authority.id,
        person_id=work.actor.person_id,
        title=new.title.strip(),
        ground=shapes.element(ground),
        question=new.asked.as_json(),
        stage=WAITING,
        share=0.0,
    )
    work.session.add(study)
    work.session.flush()
    _put(work.session, study, new.devices, new.asked)
    return _recorded(work, study, "draft", devices=len(new.devices))


def change_study(
    work: Work,
    study: CoverageStudy,
    title: str | None = None,
    asked: Asked | None = None,
    ground: BaseGeometry | None = None,
) -> CoverageStudy:
    """Changes what is given; another question or ground is computed anew."""
    _require(work.actor, study.authority_id)
    _free(work.session, study)
    faults: list[Refusal] = []
    if title is not None:
        faults += _title(title)
    if asked is not None:
        _refuse_secret(work.actor, asked)
        faults += [*_item(work.session, asked), *_flat(asked)]
        faults += [] if asked.secret else _secrets_left(work.session, study)
    if ground is not None:
        sound, unsound = _sound(ground)
        faults += unsound
    if faults:
        raise RuleViolation(Kind.INVALID, faults)
    if title is not None:
        study.title = title.strip()
    if asked is not None:
        study.question = asked.as_json()
    if ground is not None:
        study.ground = shapes.element(sound)
    if asked is not None or ground is not None:
        _again(work.session, study)
    return _recorded(work, study, "change")


def put_devices(work: Work, study: CoverageStudy, devices: Sequence[NewDevice]) -> CoverageStudy:
    """Makes these the study's own devices, in the place of those it had; it is computed anew."""
    _require(work.actor, study.authority_id)
    _free(work.session, study)
    asked = Asked.of_json(study.question)
    _refuse_secret(work.actor, asked)
    work.session.execute(delete(StudyDevice).where(StudyDevice.study_id == study.id))
    _put(work.session, study, devices, asked)
    work.session.expire(study, ["devices"])
    _again(work.session, study)
    return _recorded(work, study, "devices", devices=len(devices))


def copy_study(work: Work, study: CoverageStudy, title: str) -> CoverageStudy:
    """Another study with the same ground, question and devices, to be changed and compared with the first."""
    _require(work.actor, study.authority_id)
    if faults := _title(title):
        raise RuleViolation(Kind.INVALID, faults)
    copy = CoverageStudy(
        id=new_id(),
        public_id=public_id("CS"),
        authority_id=study.authority_id,
        person_id=work.actor.person_id,
        based_on_id=study.id,
        title=title.strip(),
        ground=study.ground,
        question=dict(study.question),
        stage=WAITING,
        share=0.0,
    )
    work.session.add(copy)
    work.session.flush()
    columns = [column for column in StudyDevice.__table__.columns if column.name != "study_id"]
    rows = select(literal(copy.id), *columns).where(StudyDevice.study_id == study.id)
    names = ["study_id", *(column.name for column in columns)]
    work.session.execute(insert(StudyDevice).from_select(names, rows))
    return _recorded(work, copy, "copy", based_on=study.public_id)


def remove_study(work: Work, study: CoverageStudy) -> None:
    """Throws a study away with its devices, shapes and questions of siting; a plan that came of one stays."""
    _require(work.actor, study.authority_id)
    _free(work.session, study)
    _recorded(work, study, "remove")
    work.session.execute(delete(CoverageStudy).where(CoverageStudy.id == study.id))
    work.session.expunge(study)


def recompute(work: Work, study: CoverageStudy) -> CoverageStudy:
    """Has a study computed anew, as after a change of the registry."""
    _require(work.actor, study.authority_id)
    _free(work.session, study)
    _again(work.session, study)
    return _recorded(work, study, "recompute")


def is_cleared(actor: Actor) -> bool:
    """Whether somebody may be told of secret devices (GD-14.6)."""
    return bool(actor.roles - _TOLD_OF_NONE)


def opened(session: Session, actor: Actor, name: str, authority_ids: Collection[uuid.UUID]) -> CoverageStudy:
    """The study with a public id, of one of these authorities; raises RuleViolation 404 for all that is not to be seen.

    One that shows secret devices is there for those alone who are cleared.
    """
    found = session.scalars(select(CoverageStudy).where(CoverageStudy.public_id == name)).one_or_none()
    if (
        found is None
        or found.authority_id not in authority_ids
        or (found.question.get("secret") and not is_cleared(actor))
    ):
        raise not_found("coverage.study_unknown", "coverage.study_unknown", measured=name[:40])
    return found


def _require(actor: Actor, authority_id: uuid.UUID) -> None:
    if actor.person_id is None or not any(actor.has(role, authority_id) for role in STUDIERS):
        raise forbidden("state.role", "coverage.no_studier", required=Coded("role", STUDIERS))


def _refuse_secret(actor: Actor, asked: Asked) -> None:
    if asked.secret and not is_cleared(actor):
        raise forbidden("GD-14.6", "coverage.secret")


def _free(session: Session, study: CoverageStudy) -> None:
    """Locks a study that nobody works on; raises RuleViolation (409) where somebody does."""
    session.refresh(study, with_for_update=True)
    now = session.scalar(select(func.clock_timestamp()))
    alive = study.beat_at is not None and now is not None and now - study.beat_at < timedelta(seconds=SILENT_S)
    if study.stage == WORKING and alive:
        raise conflict("coverage.under_way", "coverage.under_way", measured=study.public_id)


def _again(session: Session, study: CoverageStudy) -> None:
    study.stage, study.share, study.beat_at, study.ended_at, study.result = WAITING, 0.0, None, None, None
    session.flush()
    session.execute(delete(StudyShape).where(StudyShape.study_id == study.id))


def _recorded(work: Work, study: CoverageStudy, action: str, **facts: Any) -> CoverageStudy:  # noqa: ANN401
    work.record(f"coverage_study.{action}", "coverage_study", study.id, {"study": study.public_id} | facts)
    return study


def _title(title: str) -> list[Refusal]:
    return [] if 0 < len(title.strip()) <= _LONGEST else [refuse("coverage.title", "coverage.title")]


def _item(session: Session, asked: Asked) -> list[Refusal]:
    if asked.item is None or session.scalar(select(SupervisionItem.id).where(SupervisionItem.code == asked.item)):
        return []
    return [refuse("coverage.item_unknown", "coverage.item_unknown", measured=asked.item[:40])]


def _flat(asked: Asked) -> list[Refusal]:
    """Buildings hide something where hills may; a height that would count for nothing is no question."""
    if asked.buildings_m is None or asked.over_terrain:
        return []
    return [refuse("coverage.buildings_flat", "coverage.buildings_flat")]


def _sound(ground: BaseGeometry) -> tuple[BaseGeometry, list[Refusal]]:
    """The ground as a multipolygon, and what is wrong with it."""
    parts = shapely.get_parts(ground)
    areas = parts[shapely.get_type_id(parts) == 3] if len(parts) else parts
    if not len(areas) or len(areas) < len(parts) or ground.is_empty or not ground.is_valid:
        measured = "no polygon" if ground.is_valid else shapely.is_valid_reason(ground)[:100]
        return ground, [refuse("coverage.ground_unusable", "coverage.ground_unusable", measured=measured)]
    west, south, east, north = ground.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        return ground, [refuse("coverage.ground_unusable", "coverage.ground_unusable", measured=str(ground.bounds))]
    whole: BaseGeometry = cast(BaseGeometry, shapely.multipolygons(areas))
    size_km2, most = measure.area_m2(whole) / _KM2, limit("coverage.ground")
    if size_km2 > most:
        raise too_large("coverage.ground_size", measured=round(size_km2), required=most)
    return whole, []


def _put(session: Session, study: CoverageStudy, devices: Sequence[NewDevice], asked: Asked) -> None:
    most = limit("coverage.devices")
    if len(devices) > most:
        raise too_large("coverage.many_devices", measured=len(devices), required=most)
    known = _known(session, study, [one.device for one in devices if one.device is not None], asked)
    faults = [*_faulty(devices), *_misnamed(devices, known)]
    if faults:
        raise RuleViolation(Kind.INVALID, faults)
    rows = [
        {
            "study_id": study.id,
            "ordinal": number,
            "device_id": known.devices.get(one.device or ""),
            "planned_site_id": known.sites.get(one.device or ""),
            "gone": one.gone,
            "label": one.label,
            "device_type": one.device_type,
            "geom": shapes.point_text(one.view.at.lon, one.view.at.lat),
            "sector_azimuth_deg": None if one.view.azimuth_deg is None else one.view.azimuth_deg % 360,
            "hfov_deg": one.view.hfov_deg,
            "range_m": one.view.range_m,
            "mast_m": one.view.mast_m,
            "target_m": one.view.target_m,
        }
        for number, one in enumerate(devices, 1)
    ]
    copy_in(session, (Record(StudyDevice, row) for row in rows))


def _faulty(devices: Sequence[NewDevice]) -> Iterable[Refusal]:
    """Views that cannot be, unknown kinds and labels that are too long."""
    yield from faults_of([one.view for one in devices])
    for number, one in enumerate(devices, 1):
        if one.device_type not in DEVICE_TYPES:
            known = ", ".join(DEVICE_TYPES)
            yield refuse(
                "coverage.word", "coverage.word", what="device_type", measured=one.device_type[:40], required=known
            )
        if len(one.label) > _LONGEST:
            yield refuse(
                "coverage.device_label",
                "coverage.device_label",
                number=number,
                measured=len(one.label),
                required=_LONGEST,
            )


@dataclass(frozen=True)
class _Named:
    """Ids of the devices and of the sites of plans that a study may change, by their public ids."""

    devices: Mapping[str, uuid.UUID]
    sites: Mapping[str, uuid.UUID]


def _misnamed(devices: Sequence[NewDevice], known: _Named) -> Iterable[Refusal]:
    """Devices and sites that are named twice, or that the study may not know of."""
    named = [one.device for one in devices if one.device is not None]
    for name in sorted({name for name in named if named.count(name) > 1} if len(named) != len(set(named)) else ()):
        yield refuse("coverage.same_device", "coverage.same_device", measured=name[:40])
    for name in sorted(set(named) - known.devices.keys() - known.sites.keys()):
        yield refuse("coverage.device_unknown", "coverage.device_unknown", measured=name[:40])
    if any(one.gone and one.device is None for one in devices):
        yield refuse("coverage.device_unknown", "coverage.device_unknown", measured="—")


def _known(session: Session, study: CoverageStudy, names: Collection[str], asked: Asked) -> _Named:
    """The devices of the authority and those that are shown to all, and the sites of its own plans."""
    if not names:
        return _Named({}, {})
    shown = Device.state.in_(("published", "active", "maintenance", "blocked")) & Device.secret.is_(False)
    mine = Device.authority_id == study.authority_id
    if not asked.secret:
        mine &= Device.secret.is_(False)
    rows = session.execute(
        select(Device.public_id, Device.id)
        .join(DeviceSite, DeviceSite.id == Device.site_id)
        .where(Device.public_id.in_(set(names)), mine | shown)
    )
    planned = session.execute(
        select(PlannedSite.public_id, PlannedSite.id)
        .join(SitingPlan, SitingPlan.id == PlannedSite.plan_id)
        .where(PlannedSite.public_id.in_(set(names)), SitingPlan.authority_id == study.authority_id)
    )
    return _Named({row.public_id: row.id for row in rows}, {row.public_id: row.id for row in planned})


def _secrets_left(session: Session, study: CoverageStudy) -> list[Refusal]:
    """A study that moves secret devices goes on being closed to those who may not know of them."""
    held = select(Device.id).join(StudyDevice, StudyDevice.device_id == Device.id)
    left = session.scalar(held.where(StudyDevice.study_id == study.id, Device.secret).limit(1))
    return [refuse("GD-14.6", "coverage.secret")] if left else []
