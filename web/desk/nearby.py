"""What lies around a finding: permits, devices, privacy zones as everybody sees them, and earlier findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import shapely
from geoalchemy2 import Geography
from geoalchemy2.shape import from_shape, to_shape
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, cast, func, select, text
from sqlalchemy.orm import Session

from schemas.actors import Actor
from schemas.tables import SRID, ContextFeature, Detection, Device, DeviceSite
from sensing.shut import is_shut
from sensing.sightings import GONE_INTO_OTHERS
from sensing.violations import PERMITS
from web.desk.queries import authorities_of, row_of

AROUND_M = 500.0
_MOST = 20
# A degree of latitude is never shorter; of longitude, this is enough up to 75 degrees.
_LEAST_M_OF_A_DEGREE = 28_000.0


@dataclass(frozen=True)
class Permit:
    """A permit near a finding; `counts` says whether it is in force on the day on which somebody asks."""

    public_id: str
    name: str
    number: str | None
    allows: str | None
    holder: str | None
    valid_from: date | None
    valid_to: date | None
    counts: bool
    distance_m: float
    shape: Mapping[str, Any]


@dataclass(frozen=True)
class Watcher:
    """A published device near a finding; secret ones are not among them."""

    public_id: str
    name: str
    device_type: str
    state: str
    distance_m: float
    shape: Mapping[str, Any]


@dataclass(frozen=True)
class Zone:
    """A privacy zone as everybody sees it: of a sensitive one neither its kind nor its true shape."""

    public_id: str
    kind: str
    shape: Mapping[str, Any]


@dataclass(frozen=True)
class Earlier:
    """Another finding of the actor's authorities in the same place."""

    public_id: str
    kind: str
    state: str
    formed_at: datetime
    decided_at: datetime | None
    reason: str | None
    distance_m: float
    shape: Mapping[str, Any]


@dataclass(frozen=True)
class Nearby:
    """Everything around a finding, the nearest first."""

    permits: tuple[Permit, ...]
    devices: tuple[Watcher, ...]
    zones: tuple[Zone, ...]
    findings: tuple[Earlier, ...]


def nearby(db: Session, actor: Actor, public_id: str, on: date, *, around_m: float = AROUND_M) -> Nearby:
    """What lies within `around_m` of a finding. Raises RuleViolation 404 when it is not the actor's to see."""
    row = row_of(db, actor, public_id)
    shape = to_shape(row.geom)
    # A box first, which the indexes know; then metres on the ellipsoid.
    near = _Near(from_shape(shape, srid=SRID), from_shape(_reach(shape, around_m), srid=SRID), around_m)
    return Nearby(
        permits=_permits(db, near, on),
        devices=_devices(db, near),
        zones=_zones(db, near),
        findings=_findings(db, actor, near, row),
    )


@dataclass(frozen=True)
class _Near:
    shape: Any
    box: Any
    around_m: float

    def distance(self, geom: Any) -> ColumnElement[float]:  # noqa: ANN401 - a column
        return func.ST_Distance(cast(geom, Geography), cast(self.shape, Geography))

    def meets(self, geom: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:  # noqa: ANN401 - a column
        return func.ST_Intersects(geom, self.box), self.distance(geom) <= self.around_m


def _reach(shape: BaseGeometry, around_m: float) -> BaseGeometry:
    west, south, east, north = shape.bounds
    margin = around_m / _LEAST_M_OF_A_DEGREE
    return shapely.box(west - margin, south - margin, east + margin, north + margin)


def _permits(db: Session, near: _Near, on: date) -> tuple[Permit, ...]:
    away = near.distance(ContextFeature.geom).label("away")
    rows = select(ContextFeature, away).where(ContextFeature.layer == PERMITS, *near.meets(ContextFeature.geom))
    return tuple(
        Permit(
            public_id=row.public_id,
            name=row.name,
            number=row.number,
            allows=row.kind,
            holder=row.holder,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            counts=(row.valid_from is None or row.valid_from <= on) and (row.valid_to is None or on <= row.valid_to),
            distance_m=distance_m,
            shape=mapping(to_shape(row.geom)),
        )
        for row, distance_m in db.execute(rows.order_by(away, ContextFeature.public_id).limit(_MOST))
    )


def _devices(db: Session, near: _Near) -> tuple[Watcher, ...]:
    away = near.distance(DeviceSite.geom).label("away")
    rows = (
        select(Device, DeviceSite.geom, away)
        .join(DeviceSite, DeviceSite.id == Device.site_id)
        .where(~Device.secret, Device.state != "retired", *near.meets(DeviceSite.geom))
    )
    return tuple(
        Watcher(row.public_id, row.name, row.device_type, row.state, distance_m, mapping(to_shape(geom)))
        for row, geom, distance_m in db.execute(rows.order_by(away, Device.public_id).limit(_MOST))
    )


# What everybody may see of zones is a view: of a sensitive one it has neither the exact shape nor the kind.
_ZONES = text(
    "SELECT public_id, kind, ST_AsBinary(geom) AS shape FROM public_map.privacy_zones"
    " WHERE ST_Intersects(geom, ST_GeomFromWKB(:box, 4326))"
    " AND ST_Distance(geom::geography, ST_GeomFromWKB(:shape, 4326)::geography) <= :around_m"
    " ORDER BY public_id LIMIT :most"
)


def _zones(db: Session, near: _Near) -> tuple[Zone, ...]:
    places = {"box": bytes(near.box.data), "shape": bytes(near.shape.data)}
    found = db.execute(_ZONES, places | {"around_m": near.around_m, "most": _MOST})
    return tuple(Zone(row.public_id, row.kind, mapping(shapely.from_wkb(bytes(row.shape)))) for row in found)


def _findings(db: Session, actor: Actor, near: _Near, row: Detection) -> tuple[Earlier, ...]:
    away = near.distance(Detection.geom).label("away")
    rows = select(Detection, away).where(
        Detection.id != row.id,
        Detection.authority_id.in_(authorities_of(actor)),
        # What was cut, joined or taken back lies there as what came of it.
        Detection.state.not_in(GONE_INTO_OTHERS),
        *near.meets(Detection.geom),
        ~is_shut(),
    )
    return tuple(
        Earlier(
            public_id=one.public_id,
            kind=one.kind,
            state=one.state,
            formed_at=one.formed_at,
            decided_at=one.decided_at,
            reason=one.reason,
            distance_m=distance_m,
            shape=mapping(to_shape(one.geom)),
        )
        for one, distance_m in db.execute(rows.order_by(away, Detection.formed_at.desc()).limit(_MOST))
    )
