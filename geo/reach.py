"""What a zone reaches: devices in it or looking into it, and whatever else is drawn there (GD-15)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import Polygon
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.footprint import sector
from geo.types import LonLat
from geo.zones import Floats, distances_m, margins_deg
from schemas.tables import PrivacyZone

# A sector is drawn by chords around its arc and so reaches a little beyond the range (geo.footprint.sector); a nearest
# point that is found in a metric grid is exact to some centimetres.
_SEEN_BEYOND_RANGE = 1.01
_ROUNDED_M = 1.0

# Whoever stands in the box; how far each is from the zone is worked out for all of them at once.
_NEAR = text("""
    SELECT d.id, ST_X(s.geom), ST_Y(s.geom), d.sector_azimuth_deg, d.hfov_deg, d.range_m
    FROM core.device_site s JOIN core.device d ON d.site_id = s.id
    WHERE s.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
      AND d.state NOT IN ('retired', 'discontinued')
""")
_FURTHEST = text("SELECT max(range_m) FROM core.device WHERE range_m IS NOT NULL")

# What is drawn on a map is looked at by people: nothing of it is stopped by a zone, but it is not left standing either.
_DRAWN = text("""
    SELECT 'patrol_area', a.id FROM core.patrol_area a
    WHERE a.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326) AND a.state NOT IN ('retired', 'suspended')
      AND ST_DWithin(a.geom::geography, (SELECT geom::geography FROM core.privacy_zone WHERE id = :zone), :reach_m)
    UNION ALL
    SELECT 'patrol_route', r.id FROM core.patrol_route r
    WHERE r.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326) AND r.state NOT IN ('retired', 'suspended')
      AND ST_DWithin(r.geom::geography, (SELECT geom::geography FROM core.privacy_zone WHERE id = :zone),
                     :reach_m + r.alt_agl_m * tan(radians(least(r.camera_hfov_deg, 170) / 2)))
    UNION ALL
    SELECT 'deployment_point', p.id FROM core.deployment_point p
    WHERE p.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326) AND p.state NOT IN ('retired', 'suspended')
      AND ST_DWithin(p.geom::geography, (SELECT geom::geography FROM core.privacy_zone WHERE id = :zone), :reach_m)
    UNION ALL
    SELECT 'planned_site', l.id FROM core.planned_site l JOIN core.siting_plan n ON n.id = l.plan_id
    WHERE l.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326) AND l.dropped_in IS NULL
      AND l.decision IS DISTINCT FROM 'rejected' AND n.state NOT IN ('rejected', 'revoked', 'amended')
      AND ST_DWithin(l.geom::geography, (SELECT geom::geography FROM core.privacy_zone WHERE id = :zone), :reach_m)
""")
# No footprint is wider on either side of its line.
_WIDEST_FOOTPRINT_M = 2_000.0


@dataclass(frozen=True)
class Near:
    """Devices that a zone may reach, by their ids, and how far each, or what it sees, is from the zone."""

    ids: tuple[uuid.UUID, ...]
    distance_m: Floats


def devices_near(session: Session, zone: PrivacyZone, shape: Polygon, extra_m: float) -> Near:
    """The devices within reach of a zone; `shape` is its displayed one (EPSG:4326), `extra_m` what rules add at most.

    The distance is that of the device or of the sector that it looks at, whichever is nearer; 0 where they meet.
    """
    furthest_m = _SEEN_BEYOND_RANGE * (session.scalar(_FURTHEST) or 0.0)
    reach_m = zone.buffer_m + extra_m + _ROUNDED_M
    rows = session.execute(_NEAR, _box(shape, reach_m + furthest_m)).all()
    if not rows:
        return Near((), np.zeros(0))
    ids, lons, lats, azimuths, fovs, ranges = zip(*rows, strict=True)
    distance_m = distances_m(shape, shapely.points(lons, lats))
    views = zip(range(len(ids)), azimuths, fovs, ranges, distance_m.tolist(), strict=True)
    seeing = [
        (number, sector(LonLat(lons[number], lats[number]), azimuth_deg, hfov_deg, range_m))
        for number, azimuth_deg, hfov_deg, range_m, apart_m in views
        if None not in (azimuth_deg, hfov_deg, range_m) and reach_m < apart_m <= reach_m + _SEEN_BEYOND_RANGE * range_m
    ]
    if seeing:
        numbers, seen = (list(column) for column in zip(*seeing, strict=True))
        distance_m[numbers] = distances_m(shape, np.array(seen, dtype=object))
    near = np.flatnonzero(distance_m <= reach_m)
    return Near(tuple(ids[number] for number in near), distance_m[near])


def drawn_near(session: Session, zone: PrivacyZone, shape: Polygon) -> Sequence[tuple[str, uuid.UUID]]:
    """The kind and the id of every area, route, deployment point and planned site that a zone reaches."""
    box = _box(shape, zone.buffer_m + _WIDEST_FOOTPRINT_M)
    rows = session.execute(_DRAWN, {"zone": zone.id, "reach_m": zone.buffer_m, **box})
    return [(kind, subject) for kind, subject in rows]


def _box(shape: Polygon, reach_m: float) -> dict[str, float]:
    west, south, east, north = shape.bounds
    (lon_deg,), (lat_deg,) = margins_deg(south, north, np.array([reach_m]))
    return {"west": west - lon_deg, "south": south - lat_deg, "east": east + lon_deg, "north": north + lat_deg}
