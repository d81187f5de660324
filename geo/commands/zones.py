"""Commands on privacy zones (GD-15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shapely.geometry import Polygon
from sqlalchemy import select

from geo import hours, shapes
from geo.commands.common import role_missing
from geo.commands.words import refuse_unknown
from geo.commands.zone_touches import touch
from geo.zones import MOST_BUFFER_M
from schemas.ids import new_id, public_id
from schemas.refusals import conflict, invalid, not_found
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import PrivacyZone, ZoneRequest
from schemas.words import Coded

# As the database holds it (rule DC-4).
_HIGHEST_M = 20_000.0

ZONE_SOURCES = ("legal", "request", "survey")
ZONE_KINDS = (
    "hotel_room",
    "dormitory",
    "public_bathhouse",
    "changing_room",
    "toilet",
    "mother_baby_room",
    "other",
    "requested",
)


@dataclass(frozen=True, kw_only=True)
class NewZone:
    """A privacy zone; `geom` is displayed, `exact_geom` the hidden shape of a sensitive one; EPSG:4326.

    Its band of true heights has no end where one is None; without a schedule it always counts.
    """

    kind: str
    name_en: str
    name_zh: str
    geom: Polygon
    exact_geom: Polygon | None = None
    buffer_m: float = 0.0
    source: str = "legal"
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    floor_agl_m: float | None = None
    ceiling_agl_m: float | None = None
    schedule: hours.Hours | None = None


def new_zone(new: NewZone, *, now: datetime) -> PrivacyZone:
    """The row of a privacy zone; raises RuleViolation where its parts contradict each other."""
    refuse_unknown([("source", new.source, ZONE_SOURCES)])
    valid_from = new.valid_from or now
    if new.exact_geom is not None and not new.geom.covers(new.exact_geom):
        raise invalid("GD-15", "zone.exact_outside")
    if new.valid_to is not None and new.valid_to <= valid_from:
        raise invalid("GD-15", "zone.period", measured=new.valid_to.isoformat(), required=valid_from.isoformat())
    if not 0 <= new.buffer_m <= MOST_BUFFER_M:
        raise invalid("GD-15", "zone.buffer", measured=str(new.buffer_m), required=MOST_BUFFER_M)
    _refuse_band(new)
    return PrivacyZone(
        id=new_id(),
        public_id=public_id("PZ"),
        kind=new.kind,
        name_en=new.name_en,
        name_zh=new.name_zh,
        geom=shapes.element(new.geom),
        exact_geom=None if new.exact_geom is None else shapes.element(new.exact_geom),
        sensitive=new.exact_geom is not None,
        buffer_m=new.buffer_m,
        source=new.source,
        valid_from=valid_from,
        valid_to=new.valid_to,
        floor_agl_m=new.floor_agl_m,
        ceiling_agl_m=new.ceiling_agl_m,
        schedule=hours.stored(new.schedule),
    )


def _refuse_band(new: NewZone) -> None:
    """Refuses a band upside down or beyond the air, and any band or hours of a place that is hidden."""
    low_m, high_m = (-1.0 if new.floor_agl_m is None else new.floor_agl_m), new.ceiling_agl_m
    heights_m = [height_m for height_m in (new.floor_agl_m, new.ceiling_agl_m) if height_m is not None]
    if not all(0 <= height_m <= _HIGHEST_M for height_m in heights_m) or (high_m is not None and not low_m < high_m):
        measured = " - ".join(f"{height_m:g}" for height_m in heights_m)
        raise invalid("GD-15", "zone.band", measured=measured, required=f"{_HIGHEST_M:g}")
    if new.exact_geom is not None and (heights_m or new.schedule is not None):
        raise invalid("GD-15", "zone.sensitive_band")


def add_privacy_zone(work: Work, new: NewZone) -> PrivacyZone:
    """Adds a privacy zone, on the decision of a unit head; checks see it from `valid_from` on (GD-15)."""
    if not work.actor.has(Role.UNIT_HEAD):
        raise role_missing("privacy_zone", "add", (Role.UNIT_HEAD,))
    zone = new_zone(new, now=work.now)
    write_zone(work, zone)
    body = {"zone": zone.public_id, "kind": zone.kind, "valid_from": zone.valid_from.isoformat()}
    work.record("privacy_zone.add", "privacy_zone", zone.id, body, effective_at=zone.valid_from)
    return zone


def end_privacy_zone(work: Work, name: str, *, reason: str, ends_at: datetime | None = None) -> PrivacyZone:
    """Ends a privacy zone now, or at a later time, on the decision of a unit head; nothing that was is undone by it.

    Of a zone that was granted on request it is the unit head of the authority that granted it. Another shape is another
    zone: it is added first, and then the old one ends. What the zone stopped is taken back into use step by step.
    """
    found = select(PrivacyZone).where(PrivacyZone.public_id == name).with_for_update()
    zone = work.session.scalars(found).one_or_none() if "\0" not in name else None
    if zone is None:
        raise not_found(
            "store.unknown", "store.not_found", subject=Coded("subject", ["privacy_zone"]), measured=name[:40]
        )
    granted_by = work.session.scalar(select(ZoneRequest.authority_id).where(ZoneRequest.zone_id == zone.id))
    if not (work.actor.has(Role.UNIT_HEAD) if granted_by is None else work.actor.has(Role.UNIT_HEAD, granted_by)):
        raise role_missing("privacy_zone", "end", (Role.UNIT_HEAD,))
    if not reason.strip():
        raise invalid("state.reason", "machine.reason")
    at = ends_at or work.now
    if zone.valid_to is not None and zone.valid_to <= work.now:
        raise conflict("GD-15", "zone.ended", measured=zone.valid_to.isoformat())
    if at < work.now:
        raise invalid("GD-15", "zone.end_past", measured=at.isoformat())
    if at <= zone.valid_from:
        raise invalid("GD-15", "zone.period", measured=at.isoformat(), required=zone.valid_from.isoformat())
    zone.valid_to = at
    body = {"zone": zone.public_id, "ends_at": at.isoformat(), "reason": reason.strip()}
    work.record("privacy_zone.end", "privacy_zone", zone.id, body, effective_at=at)
    return zone


def write_zone(work: Work, zone: PrivacyZone) -> None:
    """Writes a zone, and stops or flags what it reaches; the command to which it belongs tells the ledger of it."""
    work.session.add(zone)
    work.session.flush()
    touch(work, zone)
