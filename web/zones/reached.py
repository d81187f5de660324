"""What a zone would reach, told before it holds, as its command will judge it: devices stop, the rest is flagged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from geoalchemy2 import Geography
from geoalchemy2 import functions as gis
from geoalchemy2.shape import to_shape
from shapely.geometry import Point, Polygon, mapping
from sqlalchemy import cast, func, select
from sqlalchemy.orm import Session

from geo import reach, shapes
from geo.checks_device import place_of_device
from schemas.rules import Rulebook
from schemas.tables import DeploymentPoint, Device, PatrolArea, PatrolRoute, PlannedSite, PrivacyZone, SitingPlan

MOST = 100
_GONE = ("retired", "suspended")
_GIVEN_UP = ("rejected", "revoked", "amended")


@dataclass(frozen=True)
class Reached:
    """One thing that a zone would reach; `stops` where it is in use and would be stopped at once."""

    kind: str
    public_id: str
    name: dict[str, str]
    stops: bool
    shape: dict[str, Any]
    url: str = ""


def reached(db: Session, shape: Polygon, buffer_m: float, rulebook: Rulebook) -> list[Reached]:
    """Everything that a zone of that shape (EPSG:4326) would reach, what it stops first; secret devices left out."""
    asked = cast(shapes.element(shape), Geography)
    found = [*_devices(db, shape, buffer_m, rulebook), *_drawn(db, asked, buffer_m), *_planned(db, asked, buffer_m)]
    return sorted(found, key=lambda one: (not one.stops, one.kind, one.name["en"]))[:MOST]


def _devices(db: Session, shape: Polygon, buffer_m: float, rulebook: Rulebook) -> Iterator[Reached]:
    widest_m = max((pack["privacy.buffer_m"] for pack in rulebook.packs), default=0.0)
    near = reach.devices_near(db, PrivacyZone(buffer_m=buffer_m), shape, widest_m)
    distances_m = dict(zip(near.ids, near.distance_m.tolist(), strict=True))
    for device in db.scalars(select(Device).where(Device.id.in_(near.ids), Device.secret.is_(False))):
        if distances_m[device.id] > buffer_m + widest_m:
            continue
        place = place_of_device(db, device)
        yield Reached(
            kind="device",
            public_id=device.public_id,
            name={"en": device.name, "zh": device.name},
            stops=device.state == "active",
            shape=mapping(place.seen or Point(place.at)),
            url=f"/registry/device/{device.public_id}",
        )


def _drawn(db: Session, asked: Any, buffer_m: float) -> Iterator[Reached]:  # noqa: ANN401 - an SQL expression
    half_m = PatrolRoute.alt_agl_m * func.tan(func.radians(func.least(PatrolRoute.camera_hfov_deg, 170) / 2))
    branches: tuple[tuple[Any, Any, str], ...] = (
        (PatrolArea, buffer_m, "area"),
        (PatrolRoute, half_m + buffer_m, "route"),
        (DeploymentPoint, buffer_m, ""),
    )
    for kind, far_m, branch in branches:
        near = select(kind).where(kind.state.not_in(_GONE), gis.ST_DWithin(cast(kind.geom, Geography), asked, far_m))
        for row in db.scalars(near):
            shown = branch and row.state in ("published", "effective")
            yield Reached(
                kind=kind.__tablename__,
                public_id=row.public_id,
                name={"en": row.name_en, "zh": row.name_zh},
                stops=False,
                shape=mapping(to_shape(row.geom)),
                url=f"/{branch}/{row.public_id}" if shown else "",
            )


def _planned(db: Session, asked: Any, buffer_m: float) -> Iterator[Reached]:  # noqa: ANN401
    near = (
        select(PlannedSite)
        .join(SitingPlan, SitingPlan.id == PlannedSite.plan_id)
        .where(PlannedSite.dropped_in.is_(None), PlannedSite.decision.is_distinct_from("rejected"))
        .where(SitingPlan.state.not_in(_GIVEN_UP))
        .where(gis.ST_DWithin(cast(PlannedSite.geom, Geography), asked, buffer_m))
    )
    for site in db.scalars(near):
        name = {"en": site.place_text, "zh": site.place_text}
        yield Reached("planned_site", site.public_id, name, False, mapping(to_shape(site.geom)))
