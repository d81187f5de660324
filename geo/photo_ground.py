"""What a photo shows of the ground: its edge cast onto the terrain, and how wrong that can be. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from geo.measure import WGS84
from geo.types import LonLat

Floats = NDArray[np.float64]

# One sigma each, where nothing better is written down.
GPS_SIGMA_M = 3.0  # a satellite receiver without corrections
HEIGHT_SIGMA_M = 2.0  # a barometer over one flight
DEM_SIGMA_M = 3.0  # an elevation model of metres
ATTITUDE_SIGMA_DEG = 1.0
HEADING_SIGMA_DEG = 2.0
# Level ground is a guess where there is no elevation model; a tenth of the height covers gentle relief.
UNKNOWN_GROUND_SHARE = 0.1

_EDGE = 8
_ROUNDS = 12
# Rays flatter than this do not meet the ground at a place worth the name.
_FLATTEST_DEG = 10.0


class Ground(Protocol):
    """Heights of the ground; geo.terrain.Terrain is one."""

    def heights_m(self, lons: Floats, lats: Floats) -> Floats:
        """Ground height at each place (EPSG:4326), NaN where it is not known."""
        ...


@dataclass(frozen=True)
class Camera:
    """A pinhole: half its fields of view as tangents, across and along the picture."""

    across: float
    along: float

    @classmethod
    def of(cls, hfov_deg: float, width_px: int, height_px: int) -> Camera:
        """From the horizontal field of view and the size of the picture."""
        across = math.tan(math.radians(hfov_deg / 2))
        return cls(across, across * height_px / width_px)


@dataclass(frozen=True)
class Look:
    """Where a camera is and where it looks: yaw from north, pitch above the horizon (-90 is straight down), roll."""

    at: LonLat
    alt_amsl_m: float
    yaw_deg: float
    pitch_deg: float = -90.0
    roll_deg: float = 0.0


@dataclass(frozen=True)
class Seen:
    """What a photo shows: its outline (EPSG:4326), the height above the ground below, and the error, one sigma.

    `terms_m` are what adds up, root of squares, at the corner where it is worst.
    """

    footprint: Polygon
    alt_agl_m: float
    error_m: float
    terms_m: dict[str, float]

    def render(self) -> dict[str, Any]:
        """The error as JSON."""
        return {"position_error_m": round(self.error_m, 2), "error_terms_m": self.terms_m}


@dataclass(frozen=True)
class Doubt:
    """What may be wrong with a look, one sigma: metres, and metres along the way through the clock."""

    gps_m: float = GPS_SIGMA_M
    time_m: float = 0.0
    ground_known: bool = True


def seen_by(look: Look, camera: Camera, ground: Ground, doubt: Doubt) -> Seen | None:
    """What a photo shows of the ground; None where a corner looks at the horizon."""
    side = np.linspace(-1, 1, _EDGE, endpoint=False)
    ones = np.ones(_EDGE)
    # Clockwise from the top left of the picture.
    right = np.concatenate([side, ones, -side, -ones]) * camera.across
    up = np.concatenate([ones, -side, -ones, side]) * camera.along
    rays = rays_of(look, right, up)
    down = -rays[:, 2]
    flat = np.hypot(rays[:, 0], rays[:, 1])
    if (down <= 0).any() or np.degrees(np.arctan2(down, flat)).min() < _FLATTEST_DEG:
        return None
    below_m = float(ground.heights_m(np.array([look.at.lon]), np.array([look.at.lat]))[0])
    if not math.isfinite(below_m):
        return None
    lons, lats, reach_m, drop_m = _cast(look, rays, down, flat, ground, below_m)
    outline = Polygon(zip(lons, lats, strict=True))
    if not outline.is_valid or look.alt_amsl_m <= below_m:
        return None
    error_m, terms = _error(reach_m, drop_m, doubt)
    return Seen(outline, look.alt_amsl_m - below_m, error_m, terms)


def rays_of(look: Look, x: Floats, y: Floats) -> Floats:
    """Directions (east, north, up in rows) to places of the picture, given as tangents to its right and up."""
    roll, pitch, yaw = (math.radians(angle) for angle in (look.roll_deg, look.pitch_deg, look.yaw_deg))
    right = x * math.cos(roll) + y * math.sin(roll)
    up = y * math.cos(roll) - x * math.sin(roll)
    # Looking ahead along `pitch`: the picture's up turns backwards as the camera bends down.
    ahead = math.cos(pitch) - up * math.sin(pitch)
    above = math.sin(pitch) + up * math.cos(pitch)
    east = ahead * math.sin(yaw) + right * math.cos(yaw)
    north = ahead * math.cos(yaw) - right * math.sin(yaw)
    return np.column_stack([east, north, above])


def onto_picture(look: Look, east: Floats, north: Floats, up: Floats) -> tuple[Floats, Floats]:
    """Where directions from the camera meet the picture, as tangents to its right and up; NaN behind the camera.

    The inverse of `rays_of`, for directions of any length.
    """
    roll, pitch, yaw = (math.radians(angle) for angle in (look.roll_deg, look.pitch_deg, look.yaw_deg))
    ahead = east * math.sin(yaw) + north * math.cos(yaw)
    depth = ahead * math.cos(pitch) + up * math.sin(pitch)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(depth > 0, depth, np.nan)
        right = (east * math.cos(yaw) - north * math.sin(yaw)) / depth
        above = (up * math.cos(pitch) - ahead * math.sin(pitch)) / depth
    return right * math.cos(roll) - above * math.sin(roll), above * math.cos(roll) + right * math.sin(roll)


def _cast(
    look: Look, rays: Floats, down: Floats, flat: Floats, ground: Ground, below_m: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Where rays meet the terrain: each is led to the height of the ground where it met the last guess."""
    azimuth = np.degrees(np.arctan2(rays[:, 0], rays[:, 1]))
    start_lon, start_lat = np.full(len(rays), look.at.lon), np.full(len(rays), look.at.lat)
    height = np.full(len(rays), below_m)
    lons, lats, reach_m = start_lon, start_lat, np.zeros(len(rays))
    for _ in range(_ROUNDS):
        reach_m = np.maximum(look.alt_amsl_m - height, 0.1) * flat / down
        lons, lats, _back = WGS84.fwd(start_lon, start_lat, azimuth, reach_m)
        found = ground.heights_m(lons, lats)
        found = np.where(np.isfinite(found), found, below_m)
        if np.abs(found - height).max() < 0.05:
            break
        # Half the way each time: on a steep slope the whole way would swing to and fro.
        height = height + 0.7 * (found - height)
    return lons, lats, reach_m, np.maximum(look.alt_amsl_m - height, 0.1)


def _error(reach_m: Floats, drop_m: Floats, doubt: Doubt) -> tuple[float, dict[str, float]]:
    slant = reach_m / drop_m
    ground_m = DEM_SIGMA_M if doubt.ground_known else UNKNOWN_GROUND_SHARE * float(drop_m.max())
    terms = {
        "gps": np.full(len(reach_m), doubt.gps_m),
        "time": np.full(len(reach_m), doubt.time_m),
        "attitude": drop_m * (1 + slant * slant) * math.radians(ATTITUDE_SIGMA_DEG),
        "heading": reach_m * math.radians(HEADING_SIGMA_DEG),
        "height": slant * HEIGHT_SIGMA_M,
        "terrain": slant * ground_m,
    }
    total = np.sqrt(sum(term * term for term in terms.values()))
    worst = int(np.argmax(total))
    return float(total[worst]), {name: round(float(term[worst]), 2) for name, term in terms.items()}
