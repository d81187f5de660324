"""What a tilted camera sees of the ground: rays of its frame followed down to the terrain. Pure.

A ray that meets no ground within a bounded distance sees too far to say what it sees: `BeyondSight`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPoint
from shapely.geometry.base import BaseGeometry

from geo import crs, measure
from geo.footprint import Camera
from geo.types import LonLat

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Places = tuple[Floats, Floats, Floats]
"""Longitudes, latitudes (EPSG:4326) and heights above the datum of the ground, in metres."""
HeightsOf = Callable[[Floats, Floats], Floats]
"""Ground heights at places of EPSG:4326, NaN where they are not known."""

_ACROSS, _ALONG = 7, 5  # rays of a frame: its rim, and enough inside it to see over a ridge
_STEPS = 32  # samples of a ray from the camera to as far down as it is followed
_DEEPER = 2.0  # so many times the height above ground a ray is followed down: terrain may fall away
_TURN_DEG = 1.0
_ALL_ROUND_DEG = np.arange(0.0, 360.0, 45.0)
_EDGE_M = 250.0
_MOST_PASSES, _SETTLED = 6, 1.002
_RINGS_DEG = np.arange(0.0, 360.0, 30.0)


@dataclass(frozen=True)
class Aim:
    """Where a camera looks at each of some places: degrees above the horizon, and clockwise from north.

    A pitch of -90 is straight down; an azimuth of NaN is one that is not known. A camera that follows a place swings
    from sample to sample as it says; any other swings at turns, all the way round for all anyone knows.
    """

    pitch_deg: Floats
    azimuth_deg: Floats
    follows: bool = False


class GroundUnknown(ValueError):
    """The camera looks at ground whose height is not known."""


class BeyondSight(ValueError):
    """The camera sees the horizon, or ground further away than is looked at, from the place of that index."""

    def __init__(self, index: int, reach_m: float) -> None:
        """Name the place and how far the longest ray would go, in metres; infinite at the horizon."""
        super().__init__(f"the camera sees too far from place {index}")
        self.index = index
        self.reach_m = reach_m


def seen_footprint(places: Places, aim: Aim, camera: Camera, ground: HeightsOf, *, look_m: float) -> BaseGeometry:
    """Everything that a tilted camera sees while it passes the places (lons, lats, heights above the sea) in order.

    The union over the legs of the hull of what both ends see; where the aircraft turns, or the azimuth is not
    known, the frame is turned all round. EPSG:4326 in and out. Raises BeyondSight where a ray goes further than
    `look_m`, GroundUnknown where the ground is not known.
    """
    lons, lats, amsl_m = places
    epsg = crs.utm_epsg(LonLat(float(lons.min() + lons.max()) / 2, float(lats.min() + lats.max()) / 2))
    x, y = crs.transformer(crs.WGS84_EPSG, epsg).transform(lons, lats, errcheck=True)
    scale = crs.grid_scale(lons, lats, epsg)
    below_m = _known(ground(lons, lats))
    turning = ~np.isfinite(aim.azimuth_deg) | _turns(aim)
    azimuths = np.where(np.isfinite(aim.azimuth_deg), aim.azimuth_deg, 0.0)
    fields = _Field(x, y, scale, amsl_m, np.maximum(amsl_m - below_m, 0.0), epsg)
    sight = _Sight(camera, ground, look_m)
    hits = [_frames(fields, np.arange(len(x)), aim.pitch_deg, azimuths, sight)]
    round_about = np.flatnonzero(turning)
    points: list[Floats] = list(hits[0])
    if round_about.size:
        for extra_deg in _ALL_ROUND_DEG[1:]:
            more = _frames(fields, round_about, aim.pitch_deg, azimuths + extra_deg, sight)
            for index, frame in zip(round_about, more, strict=True):
                points[index] = np.concatenate([points[index], frame])
    frames = [np.vstack([each, [[x[i], y[i]]]]) if turning[i] else each for i, each in enumerate(points)]
    shapes = _hulls(frames)
    legs = shapely.convex_hull(shapely.geometrycollections(np.stack([shapes[:-1], shapes[1:]], axis=1)))
    seen = shapely.union_all(np.concatenate([legs, shapes[:1]]))
    return crs.to_wgs84(shapely.segmentize(seen, _EDGE_M), epsg)


def heights_over_lowest_m(places: Places, camera: Camera, ground: HeightsOf) -> Floats:
    """True heights of a nadir camera over the lowest ground around each place that it could see.

    Seen from that height over level ground, the strip is never narrower than what is seen of the real ground, which
    is looked at in two rings as far out as the corner of the frame reaches. Raises GroundUnknown.
    """
    lons, lats, amsl_m = places
    over_m = np.maximum(amsl_m - ground(lons, lats), 0.0)
    bearings_deg = np.tile(_RINGS_DEG, 2)[None, :]
    for _pass in range(_MOST_PASSES):  # lower ground is seen further out, where it may be lower still
        reach_m = over_m[:, None] * camera.corner_m(1.0) * np.repeat([0.5, 1.0], len(_RINGS_DEG))[None, :]
        around = np.broadcast_arrays(lons[:, None], lats[:, None], bearings_deg, np.nan_to_num(reach_m))
        from_lons, from_lats, bearings, metres = (axis.ravel() for axis in around)
        far_lons, far_lats, _ = measure.WGS84.fwd(from_lons, from_lats, bearings, metres)
        lowest_m = ground(far_lons, far_lats).reshape(reach_m.shape).min(axis=1)
        before_m, over_m = over_m, np.maximum(over_m, amsl_m - lowest_m)
        if not (over_m > before_m * _SETTLED).any():
            break
    return _known(over_m)


def _hulls(frames: Sequence[Floats]) -> NDArray[np.object_]:
    """The hull of each array of points."""
    return np.array([MultiPoint(frame).convex_hull for frame in frames], dtype=object)


@dataclass(frozen=True)
class _Field:
    """The places in grid metres: with the scale of the grid, heights above the sea and above the ground."""

    x: Floats
    y: Floats
    scale: Floats
    amsl_m: Floats
    agl_m: Floats
    epsg: int


@dataclass(frozen=True)
class _Sight:
    """The camera, the ground it looks at, and how far it may look, in metres."""

    camera: Camera
    ground: HeightsOf
    look_m: float


def _frames(field: _Field, index: Indices, pitch_deg: Floats, azimuth_deg: Floats, sight: _Sight) -> Floats:
    """Where the rays of each frame meet the ground: grid metres, places x rays x 2."""
    east, north, down = _rays(pitch_deg[index], azimuth_deg[index], sight.camera)
    agl_m = field.agl_m[index][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        run = np.hypot(east, north) / down  # metres to the side for each metre down
        horizon = (down <= 0) | ~np.isfinite(run)
        reach_m = np.where(horizon, np.inf, agl_m * run)
    worst = int(np.argmax(reach_m.max(axis=1)))
    if reach_m[worst].max() > sight.look_m:
        raise BeyondSight(int(index[worst]), float(reach_m[worst].max()))
    deepest_m = np.minimum(agl_m * _DEEPER, sight.look_m / np.maximum(run, 1e-9))
    drops_m = deepest_m[..., None] * np.linspace(0.0, 1.0, _STEPS + 1)
    bearing = np.stack([east, north]) / np.maximum(np.hypot(east, north), 1e-12)
    side_m = drops_m * run[..., None] * field.scale[index][:, None, None]
    x = field.x[index][:, None, None] + side_m * bearing[0][..., None]
    y = field.y[index][:, None, None] + side_m * bearing[1][..., None]
    lons, lats = crs.transformer(field.epsg, crs.WGS84_EPSG).transform(x.ravel(), y.ravel(), errcheck=True)
    rock_m = _known(sight.ground(lons, lats)).reshape(x.shape)
    above_m = field.amsl_m[index][:, None, None] - drops_m - rock_m
    under = above_m[..., 1:] <= 0
    landed = np.all(np.any(under, axis=2), axis=1)
    if not np.all(landed):
        place = int(np.argmin(landed))
        raise BeyondSight(int(index[place]), sight.look_m)
    last = np.argmax(under, axis=2) + 1  # the first sample under the ground; the ray met it just before
    take = np.take_along_axis
    before, after = (take(above_m, (last - back)[..., None], 2)[..., 0] for back in (1, 0))
    share = np.clip(before / np.maximum(before - after, 1e-12), 0.0, 1.0)
    found = [
        take(a, (last - 1)[..., None], 2)[..., 0] * (1 - share) + take(a, last[..., None], 2)[..., 0] * share
        for a in (x, y)
    ]
    return np.stack(found, axis=-1)


def _rays(pitch_deg: Floats, azimuth_deg: Floats, camera: Camera) -> tuple[Floats, Floats, Floats]:
    """East, north and down of the rays of each frame: places x rays."""
    half_across = math.tan(math.radians(camera.hfov_deg / 2 + camera.roll_margin_deg))
    half_along = math.tan(math.radians((camera.vfov_deg or camera.hfov_deg) / 2 + camera.roll_margin_deg))
    across, along = np.meshgrid(
        np.linspace(-half_across, half_across, _ACROSS), np.linspace(-half_along, half_along, _ALONG)
    )
    pitch, azimuth = np.radians(pitch_deg)[:, None], np.radians(azimuth_deg)[:, None]
    right, up = across.ravel()[None, :], along.ravel()[None, :]
    ahead = np.cos(pitch) - up * np.sin(pitch)
    down = -(np.sin(pitch) + up * np.cos(pitch))
    return ahead * np.sin(azimuth) + right * np.cos(azimuth), ahead * np.cos(azimuth) - right * np.sin(azimuth), down


def _turns(aim: Aim) -> NDArray[np.bool_]:
    """Whether the camera begins, ends or swings round at each place."""
    turning = np.ones(len(aim.azimuth_deg), dtype=np.bool_)
    change = np.abs((np.diff(aim.azimuth_deg) + 180.0) % 360.0 - 180.0) > _TURN_DEG
    turning[1:-1] = False if aim.follows else change[:-1] | change[1:]
    return turning


def _known(heights_m: Floats) -> Floats:
    if not np.isfinite(heights_m).all():
        raise GroundUnknown("the ground that the camera looks at is not known")
    return heights_m
