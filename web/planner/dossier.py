"""The whole file of a siting plan or a device: what is asked for, why, what both reviewers say, what was decided."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from geo import shapes
from geo.checklists import REVIEW_KINDS
from geo.checks_device import place_of_device
from geo.checks_siting import covered_already, live_sites, place_of_site
from geo.private_places import Place
from geo.queries import latest_review
from geo.types import LonLat
from schemas.rules import RulePack
from schemas.tables import (
    Attachment,
    Device,
    DeviceReview,
    DeviceSite,
    LegalBasis,
    Person,
    PlannedSite,
    SitingPlan,
    SupervisionItem,
)
from web.planner.history import Event, history
from web.planner.words import ITEMS, NEEDS, REASONS, title_and_hint

Both = Mapping[str, str]


@dataclass(frozen=True)
class Paper:
    """A file that proves something."""

    public_id: str
    name: str
    size_bytes: int


@dataclass(frozen=True)
class Answer:
    """What a reviewer says of one item of the check-list."""

    title: str
    passed: bool
    text: str
    papers: tuple[Paper, ...]


@dataclass(frozen=True)
class Sheet:
    """One review: who made it, when, and every answer."""

    kind: str
    who: Both
    reviewed_on: date
    passed: bool
    answers: tuple[Answer, ...]
    note: str
    basis: str | None
    institution: str | None
    standards: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """One site of a plan, or the site of a device."""

    public_id: str
    label: str
    at: LonLat
    place_text: str
    place_type: str
    indoor: bool
    platform: str
    device_type: str
    purpose: Both
    view: tuple[float, float, float] | None
    reviews: Mapping[str, Sheet | None]
    decision: str | None = None
    decision_text: str | None = None
    dropped: bool = False
    carried: bool = False
    seen_already: tuple[float, tuple[str, ...]] = (0.0, ())

    @property
    def returned(self) -> list[Sheet]:
        """The reviews that did not pass."""
        return [sheet for sheet in self.reviews.values() if sheet is not None and not sheet.passed]


@dataclass(frozen=True)
class PlanFile:
    """A siting plan as everybody who has a part in it reads it."""

    public_id: str
    title: Both
    state: str
    version: int
    plan_version: int
    authority: Both
    authority_id: uuid.UUID
    item: Both | None
    author: Both | None
    reviewers: Mapping[str, Both | None]
    justification: tuple[tuple[str, str, str], ...]
    need: tuple[tuple[str, str, str], ...]
    duplicates: str
    sites: tuple[Site, ...]
    dropped: tuple[Site, ...]
    papers: tuple[Paper, ...]
    events: tuple[Event, ...]
    approval_no: str | None
    approved_on: date | None
    previous: str | None
    next: str | None
    reason: str | None


def plan_file(db: Session, plan: SitingPlan, pack: RulePack) -> PlanFile:
    """The file of a plan."""
    people = _people(db, (plan.author_id, plan.legal_reviewer_id, plan.technical_reviewer_id))
    item = db.get(SupervisionItem, plan.item_id) if plan.item_id else None
    live = live_sites(plan)
    return PlanFile(
        public_id=plan.public_id,
        title={
            "en": plan.title_en or plan.approval_no or plan.public_id,
            "zh": plan.title_zh or plan.approval_no or plan.public_id,
        },
        state=plan.state,
        version=plan.version,
        plan_version=plan.plan_version,
        authority=_named(plan.authority),
        authority_id=plan.authority_id,
        item=_named(item) if item else None,
        author=people.get(plan.author_id),
        reviewers={"legal": people.get(plan.legal_reviewer_id), "technical": people.get(plan.technical_reviewer_id)},
        justification=_told(REASONS, pack["siting.reasons"], plan.justification),
        need=_told(NEEDS, pack["siting.need"], plan.need),
        duplicates=plan.duplicates_answer or "",
        sites=tuple(_site(db, site, str(number)) for number, site in enumerate(live, start=1)),
        dropped=tuple(_site(db, site, "–") for site in plan.sites if site.dropped_in is not None),
        papers=tuple(papers(db, "siting_plan", plan.id)),
        events=tuple(history(db, plan)),
        approval_no=plan.approval_no,
        approved_on=plan.approved_on,
        previous=_public_id(db, SitingPlan.id == plan.previous_id),
        next=_public_id(db, SitingPlan.previous_id == plan.id),
        reason=plan.state_reason,
    )


def _told(
    table: Mapping[str, tuple[str, str]], codes: Iterable[str], given: Mapping[str, Any]
) -> tuple[tuple[str, str, str], ...]:
    return tuple((code, title_and_hint(table, code)[0], str(given.get(code) or "")) for code in codes)


def _public_id(db: Session, condition: Any) -> str | None:  # noqa: ANN401
    return db.scalar(select(SitingPlan.public_id).where(condition).order_by(SitingPlan.recorded_at.desc()).limit(1))


def _named(row: Any) -> Both:  # noqa: ANN401
    return {"en": row.name_en, "zh": row.name_zh}


def _people(db: Session, ids: Iterable[uuid.UUID | None]) -> dict[uuid.UUID | None, Both]:
    found = db.scalars(select(Person).where(Person.id.in_({one for one in ids if one})))
    return {person.id: _named(person) for person in found}


def planned(site: PlannedSite) -> Site:
    """A site of a plan as it was asked for, without what anybody said of it."""
    return _bare(site, "1")


def point_of(site: DeviceSite) -> LonLat:
    """Where a device stands."""
    return shapes.lon_lat(site.geom)


def _site(db: Session, site: PlannedSite, label: str) -> Site:
    reviews = {kind: sheet(db, latest_review(db, site, kind)) for kind in REVIEW_KINDS}
    return replace(_bare(site, label), reviews=reviews, seen_already=covered_already(db, site))


def _bare(site: PlannedSite, label: str) -> Site:
    return Site(
        public_id=site.public_id,
        label=label,
        at=shapes.lon_lat(site.geom),
        place_text=site.place_text,
        place_type=site.place_type,
        indoor=site.indoor,
        platform=site.platform,
        device_type=site.device_type,
        purpose={"en": site.purpose_en, "zh": site.purpose_zh},
        view=_view(place_of_site(site)),
        reviews={},
        decision=site.decision,
        decision_text=site.decision_text,
        dropped=site.dropped_in is not None,
        carried=site.carried_from_id is not None,
    )


def _view(place: Place) -> tuple[float, float, float] | None:
    if place.azimuth_deg is None or not place.hfov_deg or not place.range_m:
        return None
    return place.azimuth_deg, place.hfov_deg, place.range_m


def sheet(db: Session, review: DeviceReview | None) -> Sheet | None:
    """One review as it is read."""
    if review is None:
        return None
    by_item: dict[str, list[Paper]] = {}
    for row in _attachments(db, "device_review", review.id):
        by_item.setdefault(row.purpose, []).append(_paper(row))
    texts = review.items.get("texts", {})
    # An imported review says of all items at once that they passed.
    answers = review.items.get("answers", {})
    basis = db.get(LegalBasis, review.sole_basis_id) if review.sole_basis_id else None
    return Sheet(
        kind=review.kind,
        who=_people(db, [review.reviewer_id]).get(review.reviewer_id, {"en": "—", "zh": "—"}),
        reviewed_on=review.reviewed_on,
        passed=review.passed,
        answers=tuple(
            Answer(title_and_hint(ITEMS, item)[0], passed, str(texts.get(item, "")), tuple(by_item.get(item, ())))
            for item, passed in sorted(answers.items(), key=_in_order)
        ),
        note=str(review.items.get("note", "")),
        basis=basis.code if basis else None,
        institution=review.institution,
        standards=tuple(review.standards),
    )


def _in_order(answer: tuple[str, bool]) -> int:
    """Answers come from the database in no order; they are read in that of the check-list."""
    known = list(ITEMS)
    return known.index(answer[0]) if answer[0] in known else len(known)


def _attachments(db: Session, subject_kind: str, subject_id: uuid.UUID) -> Iterable[Attachment]:
    of = select(Attachment).where(Attachment.subject_kind == subject_kind, Attachment.subject_id == subject_id)
    return db.scalars(of.order_by(Attachment.recorded_at))


def papers(db: Session, subject_kind: str, subject_id: uuid.UUID) -> list[Paper]:
    """The files that prove something about a subject."""
    return [_paper(row) for row in _attachments(db, subject_kind, subject_id)]


def _paper(row: Attachment) -> Paper:
    return Paper(row.public_id, row.file_name, row.size_bytes)


@dataclass(frozen=True)
class DeviceFile:
    """A device as its planner and its reviewers read it."""

    public_id: str
    name: str
    state: str
    version: int
    device_version: int
    authority: Both
    authority_id: uuid.UUID
    item: Both | None
    author: Both | None
    site: Site
    plan: str | None
    model: str | None
    serial_no: str | None
    certificate_no: str | None
    calibration_valid_to: date | None
    measures: bool
    events: tuple[Event, ...]


def device_file(db: Session, device: Device) -> DeviceFile:
    """The file of a device."""
    stands = db.get_one(DeviceSite, device.site_id)
    place = place_of_device(db, device)
    plan = db.get(SitingPlan, stands.siting_plan_id) if stands.siting_plan_id else None
    site = Site(
        public_id=device.public_id,
        label="1",
        at=place.at,
        place_text=stands.place_text,
        place_type=stands.place_type,
        indoor=stands.indoor,
        platform=device.platform,
        device_type=device.device_type,
        purpose={"en": device.purpose_en, "zh": device.purpose_zh},
        view=_view(place),
        reviews={kind: sheet(db, latest_review(db, device, kind)) for kind in REVIEW_KINDS},
    )
    return DeviceFile(
        public_id=device.public_id,
        name=device.name,
        state=device.state,
        version=device.version,
        device_version=device.device_version,
        authority=_named(device.authority),
        authority_id=device.authority_id,
        item=_named(device.item) if device.item else None,
        author=_people(db, [device.author_id]).get(device.author_id),
        site=site,
        plan=plan.public_id if plan else None,
        model=device.model,
        serial_no=device.serial_no,
        certificate_no=device.quality_certificate_no,
        calibration_valid_to=device.calibration_valid_to,
        measures=device.is_measuring_instrument,
        events=tuple(history(db, device)),
    )


def places_of(sites: Iterable[Site]) -> dict[str, Place]:
    """The sites of a file as places, by the label that the map shows."""
    return {
        site.label: Place(site.at, site.place_type, *(site.view or (None, None, None)))
        for site in sites
        if not site.dropped
    }
