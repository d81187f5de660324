"""What a downward camera sees along a route."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo import crs, measure
from geo.types import LonLat

Floats = NDArray[np.float64]

# Discs are drawn as polygons around the true circle, so that a footprint is never too small:
# 32 segments to the quarter make it at most 0.03 % too wide.
_QUARTER_SEGMENTS = 32
_CIRCUMSCRIBED = 1 / math.cos(math.pi / (4 * _QUARTER_SEGMENTS))

_LONGEST_EDGE_M = 250.0

# From this change of heading on, the aircraft turns at a point and the corners of its frame sweep round.
_TURN_DEG = 1.0


@dataclass(frozen=True)
class Camera:
    """A nadir camera with its image width across the track.

    `hfov_deg` across and `vfov_deg` along the track are full angles; `roll_margin_deg` is added to either
    side for the tilt that the gimbal does not take out.
    """

    hfov_deg: float
    vfov_deg: float | None = None
    roll_margin_deg: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError where an angle is not positive or reaches the horizon."""
        for name, full_deg in (("hfov_deg", self.hfov_deg), ("vfov_deg", self.vfov_deg)):
            if full_deg is not None and not 0 < full_deg < 180 - 2 * self.roll_margin_deg:
                raise ValueError(f"{name} with its roll margin must lie between 0 and 180 degrees")
        if not self.roll_margin_deg >= 0:
            raise ValueError("roll_margin_deg must not be negative")

    def half_width_m(self, alt_agl_m: float) -> float:
        """Half of the strip seen on flat ground from a true height; 70 degrees at 100 m give 70.0 m."""
        return alt_agl_m * self._reach(self.hfov_deg)

    def corner_m(self, alt_agl_m: float) -> float:
        """Ground distance to the corner of the frame; the half width where `vfov_deg` is not known."""
        half_width_m = self.half_width_m(alt_agl_m)
        if self.vfov_deg is None:
            return half_width_m
        return math.hypot(half_width_m, alt_agl_m * self._reach(self.vfov_deg))

    @property
    def turned_anyhow(self) -> Camera:
        """One that sees as far to every side as this one does to the corner of its frame, however it is turned."""
        corner_deg = math.degrees(math.atan(self.corner_m(1.0)))
        return Camera(2 * (corner_deg - self.roll_margin_deg), roll_margin_deg=self.roll_margin_deg)

    def _reach(self, full_deg: float) -> float:
        return math.tan(math.radians(full_deg / 2 + self.roll_margin_deg))


def swept_footprint(lons: Floats, lats: Floats, alt_agl_m: Floats | float, camera: Camera) -> BaseGeometry:
    """Everything the camera sees while it passes the points in order; EPSG:4326 in and out.

    The union over the legs of the hull of the discs at both ends, so the half width is interpolated between
    points and the ends are round. At the ends and at turns the disc reaches to the frame's corner. Computed
    in the UTM zone of the middle, with the grid's scale taken out. `alt_agl_m` is one height or one per
    point; raises ValueError for an empty route and for heights that are not finite or below zero.
    """
    lons, lats = np.asarray(lons, np.float64), np.asarray(lats, np.float64)
    heights = np.broadcast_to(np.asarray(alt_agl_m, np.float64), lons.shape)
    if not lons.size:
        raise ValueError("a footprint needs at least one point")
    if not (np.isfinite(heights).all() and (heights >= 0).all()):
        raise ValueError("alt_agl_m must be finite and not below zero")
    epsg = crs.utm_epsg(LonLat(float(lons.min() + lons.max()) / 2, float(lats.min() + lats.max()) / 2))
    x, y = crs.transformer(crs.WGS84_EPSG, epsg).transform(lons, lats, errcheck=True)
    reach = np.where(_turning(x, y), camera.corner_m(1.0), camera.half_width_m(1.0)) * heights
    # The strip between two turns keeps the plain half width; only the discs at its ends reach further.
    straight = camera.half_width_m(1.0) * heights
    scale = crs.grid_scale(lons, lats, epsg) * _CIRCUMSCRIBED
    points = shapely.points(x, y)
    strip = shapely.buffer(points, straight * scale, quad_segs=_QUARTER_SEGMENTS)
    legs = shapely.convex_hull(shapely.geometrycollections(np.stack([strip[:-1], strip[1:]], axis=1)))
    ends = shapely.buffer(points, reach * scale, quad_segs=_QUARTER_SEGMENTS)[reach > straight]
    seen = shapely.union_all(np.concatenate([legs, ends, strip[:1]]))
    # A long straight edge of the grid is not straight in longitude and latitude; short ones are.
    return crs.to_wgs84(shapely.segmentize(seen, _LONGEST_EDGE_M), epsg)


def _turning(x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Whether the aircraft begins, ends or changes its heading at each point; grid metres."""
    turning = np.ones(len(x), dtype=np.bool_)
    heading = np.unwrap(np.arctan2(np.diff(y), np.diff(x)))
    turning[1:-1] = np.abs(np.diff(heading)) > math.radians(_TURN_DEG)
    return turning


def sector(at: LonLat, azimuth_deg: float, hfov_deg: float, range_m: float) -> BaseGeometry:
    """What a fixed camera looks at: a geodesic sector of EPSG:4326, a disc where it turns all the way.

    `azimuth_deg` is clockwise from north. Raises ValueError for a range that is not above zero.
    """
    if not (range_m > 0 and math.isfinite(range_m)):
        raise ValueError("range_m must be above zero")
    full_turn = hfov_deg >= 360
    angles = azimuth_deg + np.linspace(-hfov_deg / 2, hfov_deg / 2, max(int(hfov_deg // 5) + 2, 3))
    count = len(angles)
    # The arc's chords would cut inside the true range; reaching a little further never hides a zone.
    reach_m = range_m / math.cos(math.radians(min(hfov_deg, 360) / (count - 1) / 2))
    lons, lats, _ = measure.WGS84.fwd(np.full(count, at.lon), np.full(count, at.lat), angles, np.full(count, reach_m))
    arc = list(zip(lons, lats, strict=True))
    return shapely.Polygon(arc if full_turn else [(at.lon, at.lat), *arc])
