"""What a zone reaches: devices in it or looking into it, and whatever else is drawn there (GD-15)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
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
_RULES_ADD_M = 100.0

# A superset: within the zone's buffer, what rules may add to it, and the range of the device.
_NEAR = text("""
    SELECT d.id, d.state, ST_X(s.geom), ST_Y(s.geom), d.sector_azimuth_deg, d.hfov_deg, d.range_m
    FROM core.device_site s JOIN core.device d ON d.site_id = s.id
    CROSS JOIN (SELECT z.geom::geography AS shape FROM core.privacy_zone z WHERE z.id = :zone) AS z
    WHERE s.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
      AND d.state NOT IN ('retired', 'discontinued')
      AND ST_DWithin(z.shape, s.geom::geography, :reach_m + coalesce(d.range_m * :beyond, 0))
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
    """Devices that a zone may reach, by their ids and states, and how far each, or what it sees, is from the zone."""

    ids: tuple[uuid.UUID, ...]
    states: tuple[str, ...]
    distance_m: Floats


def devices_near(session: Session, zone: PrivacyZone, shape: shapely.Polygon) -> Near:
    """The devices within reach of a zone that the database holds; `shape` is its displayed one, in EPSG:4326.

    The distance is that of the device or of the sector that it looks at, whichever is nearer; 0 where they meet.
    """
    furthest_m = _SEEN_BEYOND_RANGE * (session.scalar(_FURTHEST) or 0.0)
    reach_m = zone.buffer_m + _RULES_ADD_M + _ROUNDED_M
    values = {"zone": zone.id, "reach_m": reach_m, "beyond": _SEEN_BEYOND_RANGE, **_box(shape, reach_m + furthest_m)}
    rows = session.execute(_NEAR, values).all()
    if not rows:
        return Near((), (), np.zeros(0))
    ids, states, lons, lats, azimuths, fovs, ranges = zip(*rows, strict=True)
    distance_m = distances_m(shape, shapely.points(lons, lats))
    seeing = [
        number
        for number, view in enumerate(zip(azimuths, fovs, ranges, strict=True))
        if None not in view and distance_m[number] > zone.buffer_m
    ]
    if seeing:
        seen = [
            sector(LonLat(lons[n], lats[n]), azimuths[n], fovs[n], ranges[n])  # nothing looks at a range of nothing
            for n in seeing
        ]
        distance_m[seeing] = np.minimum(distance_m[seeing], distances_m(shape, np.array(seen, dtype=object)))
    return Near(ids, states, distance_m)


def drawn_near(session: Session, zone: PrivacyZone, shape: shapely.Polygon) -> Sequence[tuple[str, uuid.UUID]]:
    """The kind and the id of every area, route, deployment point and planned site that a zone reaches."""
    box = _box(shape, zone.buffer_m + _WIDEST_FOOTPRINT_M)
    rows = session.execute(_DRAWN, {"zone": zone.id, "reach_m": zone.buffer_m, **box})
    return [(kind, subject) for kind, subject in rows]


def _box(shape: shapely.Polygon, reach_m: float) -> dict[str, float]:
    west, south, east, north = shape.bounds
    (lon_deg,), (lat_deg,) = margins_deg(south, north, np.array([reach_m]))
    return {"west": west - lon_deg, "south": south - lat_deg, "east": east + lon_deg, "north": north + lat_deg}
