"""Commands on devices: registered, reviewed, used, paused, blocked and taken out of use (GD-09 to GD-22)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

from shapely.geometry import Point

from geo import shapes
from geo.commands.common import local_today, move
from geo.commands.papers import end_use
from geo.commands.words import DEVICE_TYPES, OWNERS, PLATFORMS, refuse_unknown
from geo.content import siting_sha256
from schemas.actors import SYSTEM
from schemas.ids import new_id, public_id
from schemas.kept import kept
from schemas.refusals import Refusal
from schemas.store.work import Work, WorkFactory
from schemas.tables import Authority, Device, DeviceSite, PlannedSite, SitingPlan, SupervisionItem


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
    secret_authority: str | None = None
    secret_level: str | None = None
    secret_until: date | None = None
    planned_site: PlannedSite | None = None
    code: str | None = None


# What goes into the device's own row under the same name.
_DEVICE_COLUMNS = {f.name for f in fields(NewDevice)} - {
    "place",
    "place_text",
    "place_type",
    "indoor",
    "authority",
    "item",
    "siting_plan",
    "planned_site",
}


def new_device(new: NewDevice, *, import_id: uuid.UUID | None = None, state: str | None = None) -> Device:
    """The row of a device and of its site; raises RuleViolation for unknown words.

    An import inserts it with the state that it asserts; otherwise the machine gives it its first one.
    """
    site_values, values = device_values(new)
    site = DeviceSite(**site_values, geom=shapes.element(new.place))
    return Device(**values, site=site, import_id=import_id, state=state)


def device_values(new: NewDevice) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of the site, but for its place, and of the device; raises RuleViolation for unknown words."""
    words = (
        ("platform", new.platform, PLATFORMS),
        ("device_type", new.device_type, DEVICE_TYPES),
        ("owner_type", new.owner_type, OWNERS),
    )
    refuse_unknown(words)
    site = {
        "id": new_id(),
        "public_id": public_id("ST"),
        "place_text": new.place_text,
        "place_type": new.place_type,
        "indoor": new.indoor,
        "siting_plan_id": _plan_of(new),
        "planned_site_id": new.planned_site.id if new.planned_site else None,
    }
    device = {name: getattr(new, name) for name in _DEVICE_COLUMNS} | {
        "public_id": public_id("DV"),
        "category": "fixed" if new.platform == "fixed" else "mobile",
        "authority_id": new.authority.id,
        "item_id": new.item.id if new.item else None,
        "site_id": site["id"],
    }
    return site, device


def _plan_of(new: NewDevice) -> uuid.UUID | None:
    if new.planned_site is not None:
        return new.planned_site.plan_id
    return new.siting_plan.id if new.siting_plan else None


def register_device(work: Work, new: NewDevice) -> Device:
    """Registers a device at a new site (IR-1, GD-02.1, GD-14.6)."""
    device = new_device(new)
    device.author_id, device.device_version = work.actor.person_id, 1
    move(work, device, "register")
    return device


@dataclass(frozen=True, kw_only=True)
class Revision:
    """What becomes different in the next version of a device; None stays as it is.

    `place` (EPSG:4326) makes a new site; `planned_site` or `siting_plan` says on which approval it stands.
    """

    reason: str
    place: Point | None = None
    place_text: str | None = None
    place_type: str | None = None
    planned_site: PlannedSite | None = None
    siting_plan: SitingPlan | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


_REVISABLE = frozenset(
    {
        "name",
        "platform",
        "device_type",
        "purpose_en",
        "purpose_zh",
        "model",
        "serial_no",
        "quality_certificate_no",
        "sector_azimuth_deg",
        "hfov_deg",
        "range_m",
        "item_id",
    }
)


def revise_device(work: Work, device: Device, change: Revision, *, seen_version: int | None = None) -> None:
    """Makes the next version of a device that no channel carries; it is registered anew and reviewed afresh (GD-10.3).

    A device that moves gets a new site; the old one and its history stay (GD-14.5).
    """
    if unknown := change.fields.keys() - _REVISABLE:
        raise TypeError(f"not to be revised: {sorted(unknown)}")
    words = {"platform": PLATFORMS, "device_type": DEVICE_TYPES}
    refuse_unknown([(name, change.fields[name], known) for name, known in words.items() if name in change.fields])
    before = {"site": str(device.site_id), "siting_sha256": siting_sha256(work.session, device)}
    for name, value in change.fields.items():
        setattr(device, name, value)
    device.category = "fixed" if device.platform == "fixed" else "mobile"
    if change.place is not None or change.planned_site is not None or change.siting_plan is not None:
        _move_to(work, device, change)
    device.device_version += 1
    record = {"device_version": device.device_version, "before": before, "reason": change.reason}
    move(work, device, "revise", seen_version, record=record, reason=change.reason)


def _move_to(work: Work, device: Device, change: Revision) -> None:
    old = work.session.get_one(DeviceSite, device.site_id)
    plan_id = change.planned_site.plan_id if change.planned_site else old.siting_plan_id
    site = DeviceSite(
        id=new_id(),
        public_id=public_id("ST"),
        geom=old.geom if change.place is None else shapes.element(change.place),
        place_text=change.place_text or old.place_text,
        place_type=change.place_type or old.place_type,
        indoor=old.indoor,
        siting_plan_id=change.siting_plan.id if change.siting_plan else plan_id,
        planned_site_id=change.planned_site.id if change.planned_site else None,
    )
    work.session.add(site)
    with work.session.no_autoflush:
        device.site, device.site_id = site, site.id


def review_where_ready(works: WorkFactory, public_id: str) -> list[Refusal]:
    """Moves a registered device on where all its proofs are there; else what is missing still, without a refusal.

    Asked after every review, so that nobody has to remember it.
    """
    with works(SYSTEM) as work:
        device = work.get(Device, public_id)
        step = work.machine.tables[Device.__machine__].find("review", device.state)
        if step is None:
            return []
        missing = work.check(device, step.guards)
        if not missing:
            review_device(work, device)
            work.commit()
        return missing


def review_device(work: Work, device: Device) -> None:
    """Moves a device on when both reviews and all other proofs are there (GD-10.3); for the system."""
    move(work, device, "review")


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


def block_device(work: Work, device: Device, *, reason: str, refusals: Sequence[Refusal] = ()) -> None:
    """Stops an active device at once, for a cause that law names (GD-10.1, GD-15, GD-20.1, GD-22.2).

    The event keeps the rules that stand against it, to be told in the language of whoever reads it.
    """
    record = {"reason": reason, "refusals": [kept(each) for each in refusals]}
    move(work, device, "block", record=record, reason=reason)
    device.state_reason = reason


def unblock_device(work: Work, device: Device, *, reason: str) -> None:
    """Takes a blocked device back into use once the cause is gone."""
    move(work, device, "unblock", reason=reason)
    device.state_reason = None


def discontinue_device(work: Work, device: Device, *, reason: str, text_en: str, text_zh: str) -> None:
    """Takes a device out of use and announces it; using it again needs a new notice (GD-14.4)."""
    end_use(work, device, reason=reason, announcement=(text_en, text_zh))
