"""Commands on devices: registered, reviewed, used, paused, blocked and taken out of use (GD-09 to GD-22)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date

from shapely.geometry import Point

from geo import notices, queries, shapes
from geo.checks_device import reviewer
from geo.commands.common import local_today, move, refuse_unknown, require
from geo.commands.publications import stop
from geo.content import siting_sha256
from schemas.actors import SYSTEM
from schemas.ids import new_id, public_id
from schemas.machine import label
from schemas.refusals import Kind, Refusal, RuleViolation, refuse
from schemas.roles import Role
from schemas.store.work import Work, WorkFactory
from schemas.tables import (
    Authority,
    Device,
    DeviceReview,
    DeviceSite,
    Signage,
    SitingPlan,
    SupervisionItem,
)

REVIEWERS = {"legal": Role.LEGAL_REVIEWER, "technical": Role.TECHNICAL_REVIEWER}
PLATFORMS = ("fixed", "uav", "ugv", "usv")
DEVICE_TYPES = ("video", "radar", "water_quality", "air", "noise", "satellite_ref")
OWNERS = ("authority", "department", "enterprise")
_CLEAR_OF_ZONES = "GD-15:outside_private_places"
_INSPECTORS = (Role.OFFICER, Role.TECHNICAL_REVIEWER, Role.COMMAND_CENTRE)


@dataclass(frozen=True, kw_only=True)
class NewDevice:
    """What a device is registered with; `place` in EPSG:4326, the azimuth clockwise from north."""

    name: str
    place: Point
    place_text: str
    device_type: str
    purpose_en: str
    purpose_zh: str
    authority: Authority
    item: SupervisionItem | None
    platform: str = "fixed"
    place_type: str = "open_air"
    indoor: bool = False
    owner_type: str = "authority"
    siting_plan: SitingPlan | None = None
    model: str | None = None
    serial_no: str | None = None
    quality_certificate_no: str | None = None
    is_measuring_instrument: bool = False
    calibration_valid_to: date | None = None
    sector_azimuth_deg: float | None = None
    hfov_deg: float | None = None
    range_m: float | None = None
    secret: bool = False
    secret_document: str | None = None


# What goes into the device's own row under the same name.
_DEVICE_COLUMNS = {f.name for f in fields(NewDevice)} - {
    "place",
    "place_text",
    "place_type",
    "indoor",
    "authority",
    "item",
    "siting_plan",
}


def new_device(new: NewDevice, *, import_id: uuid.UUID | None = None, state: str | None = None) -> Device:
    """The row of a device and of its site; raises RuleViolation for unknown words.

    An import inserts it with the state that it asserts; otherwise the machine gives it its first one.
    """
    words = (
        ("platform", new.platform, PLATFORMS),
        ("device_type", new.device_type, DEVICE_TYPES),
        ("owner_type", new.owner_type, OWNERS),
    )
    refuse_unknown(words)
    site = DeviceSite(
        id=new_id(),
        public_id=public_id("ST"),
        geom=shapes.element(new.place),
        place_text=new.place_text,
        place_type=new.place_type,
        indoor=new.indoor,
        siting_plan_id=new.siting_plan.id if new.siting_plan else None,
    )
    return Device(
        public_id=public_id("DV"),
        category="fixed" if new.platform == "fixed" else "mobile",
        authority_id=new.authority.id,
        item_id=new.item.id if new.item else None,
        site=site,
        site_id=site.id,
        import_id=import_id,
        state=state,
        **{name: getattr(new, name) for name in _DEVICE_COLUMNS},
    )


def register_device(work: Work, new: NewDevice) -> Device:
    """Registers a device at a new site (IR-1, GD-02.1, GD-14.6)."""
    device = new_device(new)
    move(work, device, "register")
    return device


def record_review(work: Work, device: Device, *, kind: str, items: Mapping[str, bool], note: str = "") -> DeviceReview:
    """Records a legal or technical review; it passes when every item of the rule pack does (GD-11, GD-12)."""
    if kind not in REVIEWERS:
        refuse_unknown([("kind", kind, tuple(REVIEWERS))])
    require(work, device, REVIEWERS[kind], action="review")
    required = work.pack_for(device)[f"review.{kind}.items"]
    _refuse_wrong_items(kind, items, required)
    review = DeviceReview(
        id=new_id(),
        public_id=public_id("RV"),
        device_id=device.id,
        kind=kind,
        reviewer_id=work.actor.person_id,
        passed=all(items.values()),
        items={"answers": dict(items), "note": note},
        reviewed_on=local_today(work, device),
    )
    work.session.add(review)
    body = {"kind": kind, "passed": review.passed, "review": review.public_id}
    work.record("device.record_review", "device", device.id, body)
    return review


def _refuse_wrong_items(kind: str, items: Mapping[str, bool], required: Iterable[str]) -> None:
    required = tuple(required)
    refusals: list[Refusal] = []
    if blank := [item for item in required if not isinstance(items.get(item), bool)]:
        refusals.append(refuse("GD-10.3", "device.review_blank", reviewer=reviewer(kind), measured=", ".join(blank)))
    if unknown := sorted(set(items) - set(required)):
        measured, names = ", ".join(unknown), ", ".join(required)
        refusals.append(
            refuse("GD-10.3", "device.review_unknown", reviewer=reviewer(kind), measured=measured, required=names)
        )
    if refusals:
        raise RuleViolation(Kind.CONFLICT, refusals)


def review_device(work: Work, device: Device) -> None:
    """Moves a device on when both reviews and all other proofs are there (GD-10.3); for the system."""
    move(work, device, "review")


def record_sign(work: Work, device: Device, *, text: str, photo_sha256: str | None = None) -> Signage:
    """Records that the sign of a device, or the mark of an aircraft, was seen today (GD-14.1, GD-16.4)."""
    require(work, device, *_INSPECTORS, action="record_sign")
    sign = Signage(
        id=new_id(),
        public_id=public_id("SG"),
        device_id=device.id,
        text=text,
        photo_sha256=photo_sha256,
        verified_on=local_today(work, device),
        verified_by=work.actor.person_id,
    )
    work.session.add(sign)
    work.record("device.record_sign", "device", device.id, {"sign": sign.public_id, "photo": photo_sha256})
    return sign


def record_calibration(work: Work, device: Device, *, valid_to: date, certificate_no: str) -> None:
    """Records a metrological verification and until when it holds (GD-22.2)."""
    require(work, device, *_INSPECTORS, action="record_calibration")
    device.calibration_valid_to = valid_to
    body = {"certificate": certificate_no, "valid_to": valid_to.isoformat()}
    work.record("device.record_calibration", "device", device.id, body)


def activate_device(work: Work, device: Device, *, seen_version: int | None = None) -> None:
    """Puts a device into use after its notice period, or a secret one after its reviews (GD-14)."""
    transition = "activate_secret" if device.secret else "activate"
    move(work, device, transition, seen_version)
    device.activated_on = local_today(work, device)


def pause_device(work: Work, device: Device, *, reason: str, ends_on: date) -> None:
    """Takes an active device out for maintenance, without announcement (GD-14.5)."""
    move(work, device, "pause", reason=reason, ends_on=ends_on)
    device.state_reason, device.pause_ends_on = reason, ends_on
    device.active_sha256 = siting_sha256(work.session, device)


def resume_device(work: Work, device: Device) -> None:
    """Takes a device back into use after maintenance, when nothing about it has moved (GD-14.5)."""
    move(work, device, "resume")
    device.state_reason, device.pause_ends_on = None, None


def block_device(work: Work, device: Device, *, reason: str) -> None:
    """Stops an active device at once, for a cause that law names (GD-10.1, GD-15, GD-20.1, GD-22.2)."""
    move(work, device, "block", reason=reason)
    device.state_reason = reason


def block_where_private(works: WorkFactory) -> Iterator[str]:
    """Block every active device that a privacy zone has come to reach (GD-15), each in a work of its own.

    Yields the labels of these devices, except of secret ones. A zone may be imported today and hold from next
    month on, so this is asked again and again, like `take_effect_where_due`.
    """
    with works(SYSTEM) as looking:
        widest_m = max((pack["privacy.buffer_m"] for pack in looking.rulebook.packs), default=0.0)
        near = queries.active_devices_near_zones(looking.session, looking.now, extra_buffer_m=widest_m)
    for found in near:
        with works(SYSTEM) as work:
            device = work.get(Device, found)
            refusals = work.check(device, [_CLEAR_OF_ZONES])
            if refusals and device.state == "active":
                block_device(work, device, reason="; ".join(f"{each.rule}: {each.message()}" for each in refusals))
                work.commit()
                if not device.secret:
                    yield label(device)


def unblock_device(work: Work, device: Device, *, reason: str) -> None:
    """Takes a blocked device back into use once the cause is gone."""
    move(work, device, "unblock", reason=reason)
    device.state_reason = None


def discontinue_device(work: Work, device: Device, *, reason: str, text_en: str, text_zh: str) -> None:
    """Takes a device out of use and announces it; using it again needs a new notice (GD-14.4)."""
    was_used = device.activated_on is not None
    shown = notices.appearances(work.session, device, work.pack_for(device))
    stop(work, device, "discontinue", "discontinued", reason, (text_en, text_zh))
    device.state_reason, device.discontinued_on = reason, local_today(work, device)
    if not was_used:
        for row in shown:
            row.withdrawn_at = work.now
