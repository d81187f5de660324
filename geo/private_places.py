"""Places where nobody may be watched: by the kind of the place, and by what a device there would look at (GD-15)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from geo import queries, zones
from geo.footprint import sector
from geo.types import LonLat
from schemas.refusals import Refusal, refuse
from schemas.rules import RulePack
from schemas.words import Coded

_FULL_TURN_DEG = 360.0


@dataclass(frozen=True)
class Place:
    """Where a device stands or would stand, and what it looks at where that is known; the azimuth from north."""

    at: LonLat
    place_type: str
    azimuth_deg: float | None = None
    hfov_deg: float | None = None
    range_m: float | None = None

    @cached_property
    def seen(self) -> BaseGeometry | None:
        """What it looks at, in EPSG:4326; None where nobody said. What sees all round needs no direction."""
        azimuth_deg = 0.0 if self.azimuth_deg is None and (self.hfov_deg or 0.0) >= _FULL_TURN_DEG else self.azimuth_deg
        if azimuth_deg is None or not self.hfov_deg or not self.range_m:
            return None
        return sector(self.at, azimuth_deg, self.hfov_deg, self.range_m)


def private_place_refusals(session: Session, place: Place, pack: RulePack, at: datetime) -> Iterator[Refusal]:
    """GD-15: every reason why nothing may watch from this place at a time."""
    if place.place_type in pack["privacy.prohibited_place_types"]:
        yield refuse("GD-15", "device.private_place_type", measured=Coded("place", [place.place_type]))
    buffer_m = pack["privacy.buffer_m"]
    for shape, text in ((Point(place.at), "device.in_zone"), (place.seen, "device.sees_zone")):
        if shape is None:
            continue
        near = queries.zones_near(session, shape, at, extra_buffer_m=buffer_m)
        for hit in zones.hits(shape, near, extra_buffer_m=buffer_m):
            measured = f"{hit.distance_m:.0f} m"
            yield refuse("GD-15", text, zone=hit.zone.public_id, measured=measured, place=hit.place)
